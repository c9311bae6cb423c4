package layer2

import (
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

func newFailOverDuration(factory promauto.Factory) prometheus.Histogram {
	return factory.NewHistogram(prometheus.HistogramOpts{
		Name: "daymark_layer2_failover_duration_seconds",
		Help: "Addresses taken over from speakers that died, and how long they were without an answer: from the last sign of life of the " +
			"former holder, if this node watched it, to the first announcement by this node, or until the last known client of a shared address is told.",
		Buckets: []float64{.05, .1, .15, .2, .3, .5, 1, 2, 5, 10, 30},
	})
}

// failOvers measures how long addresses were without an answer: from the last sign of life of the holder that died to the first
// announcement by this node.
type failOvers struct {
	duration prometheus.Histogram

	mu sync.Mutex
	// silent is since when each address that is taken over and not announced yet has had a silent holder.
	silent map[netip.Addr]time.Time
}

// failOverTimeout is how long an address may wait for its first announcement: one that was given up meanwhile must not be measured
// when it comes again.
const failOverTimeout = 5 * time.Minute

// FailedOver says which addresses of the next Set are taken over from a holder that died, and when it was last heard. Each is
// measured once, when it is announced first.
func (r *Responder) FailedOver(since map[netip.Addr]time.Time) {
	r.announcer.failOvers.add(since, time.Now())
}

func newFailOvers(duration prometheus.Histogram) *failOvers {
	return &failOvers{duration: duration, silent: map[netip.Addr]time.Time{}}
}

func (f *failOvers) add(since map[netip.Addr]time.Time, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.silent, func(_ netip.Addr, since time.Time) bool { return now.Sub(since) > failOverTimeout })
	maps.Copy(f.silent, since)
}

// announced notes that an address is announced first.
func (f *failOvers) announced(addr netip.Addr, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if since, ok := f.silent[addr]; ok {
		delete(f.silent, addr)
		f.duration.Observe(now.Sub(since).Seconds())
	}
}
