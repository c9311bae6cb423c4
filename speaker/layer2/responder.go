package layer2

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/speaker/trace"
)

const (
	// defaultInterval is the time between the periodic announcements of an address.
	defaultInterval = time.Minute
	// reopenInterval is the wait before a broken socket is opened again. It is short, because nothing is answered
	// meanwhile. It is not zero, because a socket that breaks at once must not keep a core busy.
	reopenInterval = 50 * time.Millisecond
	// retryInterval is the wait between attempts while a part of the desired state cannot be reached.
	retryInterval = time.Second
)

// ErrStopped is returned by Set after Start has ended.
var ErrStopped = errors.New("layer 2 has been stopped")

// Config of a Responder. The zero Config works.
type Config struct {
	// Log; nil: slog's default.
	Log *slog.Logger
	// Registerer of the metrics; nil: they are not registered.
	Registerer prometheus.Registerer
	// Interval between the periodic announcements of an address that is held; 0: 60 s.
	Interval time.Duration
	// AnnouncementRate is how many frames that announce addresses are sent per second and interface, and how many probes
	// besides; 0: DefaultAnnouncementRate.
	AnnouncementRate int
	// Stale reports whether this process was suspended and does not know yet whether other nodes have taken its
	// addresses over. While it is true, nothing is answered, announced, defended or taken over. It is called for every
	// frame about a held address and must return at once; nil: never stale.
	Stale func() bool
	// Tracer is told what is received and sent; nil: nobody is.
	Tracer *trace.Tracer
}

// Responder holds addresses on the segments of this node. Its methods may be called by several goroutines.
type Responder struct {
	log       *slog.Logger
	metrics   *metrics
	announcer *announcer
	detector  *conflictDetector
	asker     *asker
	searcher  *searcher
	rivals    *rivals
	crowds    *crowds
	steps     steps
	isStale   func() bool
	tracer    *trace.Tracer
	changes   chan struct{}
	// urgent is like changes for what cannot wait.
	urgent chan struct{}
	// live are the sockets, for those who send without holding mu.
	live atomic.Pointer[[]*socket]

	started chan struct{}
	// broken wakes Start when a socket has failed, unable wakes retryUnable when there is a failure.
	broken, unable chan struct{}
	// muted are addresses whose answers alone are refused. The caller of what changes it holds mu.
	muted map[netip.Addr]*muted
	// troubled wakes watchSending when a frame could not be sent.
	troubled chan struct{}

	// clusterMACs are the cluster's and our own MAC addresses, for the receivers.
	clusterMACs atomic.Pointer[map[mac]owner]

	mu      sync.Mutex
	stopped bool
	// givenMACs is the last argument of UpdateClusterMACs, nodeMACs the addresses in it.
	givenMACs []announce.NodeMAC
	nodeMACs  map[mac]owner
	desired   []announce.Layer2Address
	questions []announce.Layer2Question
	// listened are the sockets that Listen asks for.
	listened map[socketKey]bool
	// complete: the last apply reached the whole desired state.
	complete bool
	sockets  map[socketKey]*socket
	// failures are the sockets that the kernel refuses.
	failures map[socketKey]*failure
	held     map[netip.Addr]Held
	// heldList is held in order; nil: it must be made again.
	heldList []Held
	// receivers are the goroutines of the sockets. One is only added while mu is held and before stopped.
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
	if cfg.AnnouncementRate <= 0 {
		cfg.AnnouncementRate = DefaultAnnouncementRate
	}
	if cfg.Stale == nil {
		cfg.Stale = func() bool { return false }
	}
	m := newMetrics(cfg.Registerer)
	r := &Responder{
		log:       cfg.Log,
		muted:     map[netip.Addr]*muted{},
		metrics:   m,
		announcer: newAnnouncer(cfg.Interval, cfg.AnnouncementRate, cfg.Stale, m),
		detector:  newConflictDetector(cfg.Log, m, cfg.AnnouncementRate),
		asker:     newAsker(),
		searcher:  newSearcher(),
		rivals:    newRivals(),
		crowds:    newCrowds(m),
		isStale:   cfg.Stale,
		tracer:    cfg.Tracer,
		changes:   make(chan struct{}, 1),
		urgent:    make(chan struct{}, 1),
		started:   make(chan struct{}),
		broken:    make(chan struct{}, 1),
		unable:    make(chan struct{}, 1),
		troubled:  make(chan struct{}, 1),
		sockets:   map[socketKey]*socket{},
		failures:  map[socketKey]*failure{},
		held:      map[netip.Addr]Held{},
	}
	r.live.Store(&[]*socket{})
	r.clusterMACs.Store(&map[mac]owner{})
	return r
}

// Start answers for what Set asks until ctx ends; then it closes its sockets and returns nil. It opens a broken socket
// again. Start may be called once.
func (r *Responder) Start(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { r.announcer.run(ctx, &r.steps.announcing) })
	running.Go(func() { r.detectConflicts(ctx) })
	running.Go(func() { r.ask(ctx) })
	running.Go(func() { r.search(ctx) })
	running.Go(func() { r.retryUnable(ctx) })
	running.Go(func() { r.watchSending(ctx) })
	close(r.started)

	retry := time.NewTimer(0)
	retry.Stop()
	logged := ""
	for {
		select {
		case <-ctx.Done():
			r.stop()
			r.receivers.Wait()
			running.Wait()
			return nil
		case <-r.broken:
			retry.Reset(reopenInterval)
		case <-retry.C:
			// An error is logged when it changes and not at every attempt.
			problem := ""
			if err := r.reapply(); err != nil {
				problem = err.Error()
				retry.Reset(retryInterval)
			}
			if problem != logged && problem != "" {
				r.log.Warn("layer 2 is incomplete, trying again", "error", problem, "after", retryInterval)
			}
			logged = problem
		}
	}
}

// Set makes the node answer for these addresses and no others: it first adds the new ones, then it stops answering for
// those no longer wanted. A new address is announced at once; one with Probe is announced after its probes have found
// no foreign host. Set does not wait for that; Changes reports it. What cannot be done, because an interface is missing
// or down, is returned as an error that names it, is missing in Held, and is tried again at the next Set; the rest is
// done. Set waits for Start or for ctx. It may be called as often as wanted: it notices interfaces that were renamed,
// replaced or given another MAC address.
func (r *Responder) Set(ctx context.Context, addresses []announce.Layer2Address) error {
	select {
	case <-r.started:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.complete && slices.EqualFunc(r.desired, addresses, equalIgnoringProbe) && r.upToDate() {
		return nil // Most calls change nothing; with thousands of addresses it is worth to return early.
	}
	r.desired = slices.Clone(addresses)
	return r.apply()
}

// equalIgnoringProbe compares two addresses without Probe, which has no meaning for an address that is known.
func equalIgnoringProbe(a, b announce.Layer2Address) bool {
	return a.Addr == b.Addr && a.Detection == b.Detection && a.KernelsAnswer == b.KernelsAnswer &&
		slices.Equal(a.Interfaces, b.Interfaces) && a.Sharing.Equal(b.Sharing)
}

// reapply applies the last desired state again.
func (r *Responder) reapply() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer notify(r.changes)
	return r.apply()
}

// Announce announces held addresses again, now and over the next seconds, as after a take-over. Other nodes may have
// announced them in a part of the segment that was out of reach. Addresses that are not held are left out.
func (r *Responder) Announce(addresses []netip.Addr) { r.announceAgain(addresses) }

// Changes wakes its receiver when a conflict has begun or ended, or when Held has changed without a Set: an address was
// found free, or a broken socket was replaced. A wake carries nothing.
func (r *Responder) Changes() <-chan struct{} { return r.changes }

// Urgent wakes its receiver when Answers or Rivals have changed: an address may have no holder until then, or two. It is in addition to
// Changes.
func (r *Responder) Urgent() <-chan struct{} { return r.urgent }

func (r *Responder) notifyUrgent() {
	notify(r.urgent)
	notify(r.changes)
}

// notify sends a wake to a channel with a buffer of one, unless one waits there already.
func notify(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// stop closes all sockets for good.
func (r *Responder) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	for key := range r.sockets {
		r.closeSocket(key)
	}
	r.detector.setAddresses(nil)
	r.publish()
}
