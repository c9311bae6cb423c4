package layer2

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/progress"
)

// senderRecorder is a sender that records when it announced.
type senderRecorder struct {
	on    string
	mu    sync.Mutex
	begin time.Time
	times map[netip.Addr][]time.Duration
	all   []time.Duration
}

func newRecorder() *senderRecorder {
	return &senderRecorder{on: "eth0", begin: time.Now(), times: map[netip.Addr][]time.Duration{}}
}

func (r *senderRecorder) interfaceName() string { return r.on }

// via implements update.
func (r *senderRecorder) via() sender { return r }

func (r *senderRecorder) announce(addr netip.Addr, _ int, _ bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times[addr] = append(r.times[addr], time.Since(r.begin))
	r.all = append(r.all, time.Since(r.begin))
}

func (r *senderRecorder) of(addr netip.Addr) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.times[addr])
}

// runAnnouncer runs an announcer on the fake clock of a synctest bubble.
func runAnnouncer(t *testing.T, jitter func() float64, stale func() bool) *announcer {
	if stale == nil {
		stale = func() bool { return false }
	}
	a := newAnnouncer(time.Minute, DefaultAnnouncementRate, stale, newMetrics(nil))
	if jitter != nil {
		a.jitter = jitter
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { a.run(ctx, &progress.Tracker{}) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return a
}

func half() float64 { return 0.5 }

func TestAnnouncer_AtOnceThenSoonThenPeriodically(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r := runAnnouncer(t, half, nil), newRecorder()
		a.add(r, []netip.Addr{vip4, vip6})
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		want := []time.Duration{
			0, time.Second, 2 * time.Second, 4 * time.Second, 34 * time.Second, 94 * time.Second, 154 * time.Second,
		}
		if got := r.of(vip6); !slices.Equal(got, want) {
			t.Errorf("the IPv6 address was announced after %v, want %v", got, want)
		}
		// The second form of a gratuitous ARP follows the first at once.
		if got, want := r.of(vip4), slices.Insert(want, 0, 0); !slices.Equal(got, want) {
			t.Errorf("the IPv4 address was announced after %v, want %v", got, want)
		}
	})
}

func TestAnnouncer_StopsForWhatIsRemoved(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, r, other := runAnnouncer(t, half, nil), newRecorder(), newRecorder()
		a.add(r, []netip.Addr{vip4, vip6})
		a.add(other, []netip.Addr{vip4})
		time.Sleep(500 * time.Millisecond)
		a.remove(r, vip4)
		a.remove(r, vip4) // Removing twice is the same as once.
		a.removeSender(other)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := r.of(vip4); len(got) != 2 {
			t.Errorf("the removed address was announced after %v", got)
		}
		if got := other.of(vip4); len(got) != 2 {
			t.Errorf("the forgotten socket announced after %v", got)
		}
		if got := r.of(vip6); len(got) != 3 {
			t.Errorf("the address that stayed was announced after %v", got)
		}

		// Added again, it starts from the beginning.
		a.add(r, []netip.Addr{vip4})
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if got := r.of(vip4); len(got) != 5 || got[2] != 3500*time.Millisecond {
			t.Errorf("taken over again, it was announced after %v", got)
		}
	})
}
