package layer2

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

const (
	// defaultInterval between the periodical announcements of an address.
	defaultInterval = time.Minute
	// reopenAfter is the wait before a socket that broke is opened again: short, because an address is silent
	// meanwhile, and not zero, because a socket that breaks at once must not keep a core busy.
	reopenAfter = 50 * time.Millisecond
	// retryAfter is the wait between attempts while something that was asked for cannot be done.
	retryAfter = time.Second
)

// ErrStopped is returned by Set after Start has ended.
var ErrStopped = errors.New("layer 2 has been stopped")

// Config of a Responder. The zero Config works.
type Config struct {
	// Log; nil: slog's default.
	Log *slog.Logger
	// Registerer of the metrics; nil: they are not registered.
	Registerer prometheus.Registerer
	// Interval between the periodical announcements of an address that is held; 0: 60 s.
	Interval time.Duration
	// Stale reports whether this process stood still and does not know yet whether other nodes have taken its
	// addresses over. While it is true nothing is answered, announced, defended or taken over. It is called for every
	// frame about a held address and must return at once; nil: never.
	Stale func() bool
}

// Held is an address that this node answers for.
type Held struct {
	Addr netip.Addr
	// Interfaces where it is truly answered, sorted: those asked for less those that are missing or down.
	Interfaces []string
	// Since this process answers for it without a break, on whatever interface.
	Since time.Time
}

// Responder holds addresses on the segments of this node. Its methods may be called by several goroutines.
type Responder struct {
	log       *slog.Logger
	metrics   *metrics
	announcer *announcer
	watch     *watch
	doubt     func() bool
	changes   chan struct{}
	// live are the sockets, for those who send without mu.
	live atomic.Pointer[[]*socket]

	started chan struct{}
	// broken wakes Start when a socket has failed.
	broken chan struct{}

	// friends are the cluster's and our own MAC addresses, for the receivers.
	friends atomic.Pointer[friends]

	mu      sync.Mutex
	stopped bool
	// cluster as it was said last; nodes is what it means.
	cluster []string
	nodes   friends
	desired []announce.Layer2Address
	// complete: the desired state was reached in full when it was last applied.
	complete bool
	sockets  map[place]*socket
	held     map[netip.Addr]Held
	// receivers are the goroutines of the sockets; one is only ever added under mu and before stopped.
	receivers sync.WaitGroup
}

// New returns a Responder that holds nothing. It opens nothing and starts nothing: Start does.
func New(cfg Config) *Responder {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Interval <= 0 {
		cfg.Interval = defaultInterval
	}
	if cfg.Stale == nil {
		cfg.Stale = func() bool { return false }
	}
	m := newMetrics(cfg.Registerer)
	r := &Responder{
		log:       cfg.Log,
		metrics:   m,
		announcer: newAnnouncer(cfg.Interval, cfg.Stale),
		watch:     newWatch(cfg.Log, m),
		doubt:     cfg.Stale,
		changes:   make(chan struct{}, 1),
		started:   make(chan struct{}),
		broken:    make(chan struct{}, 1),
		sockets:   map[place]*socket{},
		held:      map[netip.Addr]Held{},
	}
	r.live.Store(&[]*socket{})
	r.friends.Store(&friends{})
	return r
}

// Start answers for what Set asks until ctx ends; then it falls silent, closes its sockets and returns nil. A socket
// that breaks is opened again by itself. Start may be called once.
func (r *Responder) Start(ctx context.Context) error {
	var speaking sync.WaitGroup
	speaking.Go(func() { r.announcer.run(ctx) })
	speaking.Go(func() { r.detect(ctx) })
	close(r.started)

	mend := time.NewTimer(0)
	mend.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			r.stop()
			r.receivers.Wait()
			speaking.Wait()
			return nil
		case <-r.broken:
			mend.Reset(reopenAfter)
		case <-mend.C:
			// The same complaint every second would say no more than the first.
			complaint := ""
			if err := r.again(); err != nil {
				complaint = err.Error()
				mend.Reset(retryAfter)
			}
			if complaint != said && complaint != "" {
				r.log.Warn("layer 2 is incomplete, trying again", "error", complaint, "after", retryAfter)
			}
			said = complaint
		}
	}
}

// Set makes the node answer for these addresses and no others: new ones first, then those that are not asked for fall
// silent. A new one is announced at once; with Probe, when its probes found no foreign host, which Set does not wait for
// and Changes tells. What cannot be done, because an interface is missing or down, is returned as an error that
// names it, stands out in Held by its absence, and is tried again at the next Set; all else is done regardless. Set
// waits for Start, and may be called as often as one likes: interfaces that were renamed, replaced or given another MAC
// address are noticed by it.
func (r *Responder) Set(ctx context.Context, addresses []announce.Layer2Address) error {
	select {
	case <-r.started:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.complete && slices.EqualFunc(r.desired, addresses, same) && r.settled() {
		return nil // Most passes change nothing; with thousands of addresses that is worth knowing early.
	}
	r.desired = slices.Clone(addresses)
	return r.apply()
}

// same leaves Probe out, which has no meaning for an address that is known.
func same(a, b announce.Layer2Address) bool {
	return a.Addr == b.Addr && slices.Equal(a.Interfaces, b.Interfaces)
}

// Held returns the addresses that are truly answered for, in order.
func (r *Responder) Held() []Held {
	r.mu.Lock()
	held := slices.Collect(maps.Values(r.held))
	r.mu.Unlock()
	slices.SortFunc(held, func(a, b Held) int { return a.Addr.Compare(b.Addr) })
	return held
}

// again applies the last desired state once more.
func (r *Responder) again() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer signal(r.changes)
	return r.apply()
}

// Announce announces all held addresses again, now and over the next seconds, as after a take-over: others may have
// spoken for them in a part of the segment that was out of reach.
func (r *Responder) Announce() { r.announcer.again() }

// Changes wakes when a conflict has begun or ended, or Held has changed by itself: an address was found free, a broken
// socket was mended. It carries nothing.
func (r *Responder) Changes() <-chan struct{} { return r.changes }

// signal leaves a wake in a channel that holds one.
func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// stop closes everything for good.
func (r *Responder) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	for where := range r.sockets {
		r.close(where)
	}
	r.watch.follow(nil)
	r.publish()
}
