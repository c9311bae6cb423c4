package layer2

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/speaker/announce"
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

	started chan struct{}
	// broken wakes Start when a socket has failed.
	broken chan struct{}

	mu      sync.Mutex
	stopped bool
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
	return &Responder{
		log:       cfg.Log,
		metrics:   newMetrics(cfg.Registerer),
		announcer: newAnnouncer(cfg.Interval),
		started:   make(chan struct{}),
		broken:    make(chan struct{}, 1),
		sockets:   map[place]*socket{},
		held:      map[netip.Addr]Held{},
	}
}

// Start answers for what Set asks until ctx ends; then it falls silent, closes its sockets and returns nil. A socket
// that breaks is opened again by itself. Start may be called once.
func (r *Responder) Start(ctx context.Context) error {
	var announcing sync.WaitGroup
	announcing.Go(func() { r.announcer.run(ctx) })
	close(r.started)

	mend := time.NewTimer(0)
	mend.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			r.stop()
			r.receivers.Wait()
			announcing.Wait()
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

// Set makes the node answer for these addresses and no others: new ones first, announced at once, then those that are
// not asked for fall silent. What cannot be done, because an interface is missing or down, is returned as an error that
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

func same(a, b announce.Layer2Address) bool {
	return a.Addr == b.Addr && slices.Equal(a.Interfaces, b.Interfaces)
}

// Held returns the addresses that are truly answered for, in order.
func (r *Responder) Held() []Held {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.held), func(a, b Held) int { return a.Addr.Compare(b.Addr) })
}

// again applies the last desired state once more.
func (r *Responder) again() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.apply()
}

// stop closes everything for good.
func (r *Responder) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	for where := range r.sockets {
		r.close(where)
	}
	r.note()
}
