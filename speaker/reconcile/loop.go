package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/departure"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/liveness"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/internal/loop"
	"github.com/daymark-lb/daymark/internal/progress"
	"github.com/daymark-lb/daymark/speaker/processors"
)

const (
	// retryInterval is the longest time between two passes while something fails.
	retryInterval = 5 * time.Second
	// unreadyInterval is the longest time between two passes while the node is not ready.
	unreadyInterval = time.Second
)

// Config of a Loop.
type Config struct {
	// Node that this speaker runs on.
	Node string
	// Namespace that Daymark runs in.
	Namespace string
	// RebalanceAfter is how long layer-2 addresses may be spread unevenly; 0: for ever.
	RebalanceAfter time.Duration
	Classes        lb.Classes
	Options        announce.Options
	Log            *slog.Logger
	// Registerer of the metrics.
	Registerer prometheus.Registerer
	// BootID of the node, which differs from boot to boot.
	BootID string
}

// Loop is the speaker's reconcile loop.
type Loop struct {
	cfg Config
	// read returns the objects of the cluster. An error means that nothing may be changed.
	read func(ctx context.Context) (*snapshot, error)
	exec Executors
	*Writers
	// others are asked about where there is no gossip.
	others OtherProxies

	memory memory
	// bfd is the newest plan, also for BFDDown, which other goroutines call.
	bfd atomic.Pointer[announce.BFDPlan]

	// progress of the passes, for Alive.
	progress progress.Tracker
	// started is when this process started.
	started time.Time
	// passed: a pass has come to its end.
	passed atomic.Bool
	// unready is why this node cannot do its part yet; nil once it can, and from then on.
	unready atomic.Pointer[error]
	// failure that was logged last.
	failure string

	// leaving: this speaker is about to end and hands over what it holds. free is closed when it holds nothing more.
	leaving atomic.Bool
	leave   chan struct{}
	free    chan struct{}
	freed   sync.Once
	// departure is how far the BGP sessions of a node that leaves are to be, and departed how far a pass has set them. The
	// reason is that of the departure.
	departure, departed atomic.Int32
	departureReason     atomic.Pointer[string]

	// cost of passes that have read the objects; and of those for the members alone, of which only looking and computing counts.
	cost, costOfMembers loop.Cost
	metrics             *metrics
}

// memory is what the decisions remember from pass to pass. Only the goroutine of the passes uses it.
type memory struct {
	computer    announce.Computer
	membership  election.Membership
	participant *election.Participant
	reunion     election.Reunion
	macs        announce.ClusterMACs
	addresses   announce.NodeAddresses
	able        ableLinks
	detours     []announce.Detour
	// links are those that nodes have or last had.
	links map[string][]lb.Link
	// sessions of the pass before.
	sessions announce.SessionMemory
	// localEnds are what the node last gave the sessions, and formerRouters the routers that it had, by BGPPeer; nil before the first pass.
	localEnds     map[string]announce.LocalEnd
	formerRouters map[string][]netip.Addr
	// ownEnd is what the node's own addresses gave all sessions.
	ownEnd announce.NodeEnd
	// holdDowns are the sessions whose BFD has failed.
	holdDowns announce.HoldDowns
	// bfdSeen are the sessions whose BFD has been up.
	bfdSeen announce.BFDSeen
	// silences are the nodes that are silent in the gossip though they answer on the segment.
	silences silences
	// answerers are those that were among them since they fell silent.
	answerers answerers
	// segments are what is known of the segments that the gossip does not use.
	segments segments
	// unshared: an address is left to one node, though it is to be shared, because not all speakers understand that.
	unshared bool
	// before are the sessions of the process before this one; nil before the first pass.
	before established
	// inactive is since when each BGP session has not been established, by name.
	inactive map[string]time.Time
	// withdrawals of Services that wait for them.
	withdrawals withdrawals
	absence     liveness.Absence
	// proxy of this node.
	proxy serviceProxy
	// connections that are open while addresses move.
	connections connections
	// monitor decides whether this speaker speaks for all.
	monitor liveness.Monitor
}

// Add builds the loop into a manager, which starts it.
func Add(m manager.Manager, cfg Config, exec Executors, writers *Writers) (*Loop, error) {
	caches := newListers(m.GetCache(), m.GetAPIReader(), cfg.Node, cfg.Namespace)
	objects := &reading{read: func(ctx context.Context) (*snapshot, error) { return caches.read(ctx, cfg.Classes, cfg.Options) }}
	l := newLoop(cfg, exec, writers, objects.next)
	others := newOtherProxies(m.GetAPIReader())
	if err := m.Add(others); err != nil {
		return nil, fmt.Errorf("add what asks about other service proxies: %w", err)
	}
	l.others = others
	wiring := loop.Wiring{
		Name:  "speaker",
		Kinds: informer.Kinds(),
		Stale: &objects.stale,
		Cost:  &l.cost, UrgentCost: &l.costOfMembers,
		Wakes: []<-chan struct{}{
			exec.Gossip.Changes(), exec.Layer2.Changes(), exec.Unnumbered.Changes(), exec.BGP.Changes(), exec.Proxy.Changes(),
			exec.Tracer.Changes(), exec.Connections.Changes(), others.Changes(),
		},
		Urgent: []<-chan struct{}{exec.Gossip.Urgent(), exec.Layer2.Urgent(), exec.Links.Changes(), exec.BFD.Changes(), l.leave},
	}
	return l, wiring.Add(m, l)
}

func newLoop(cfg Config, exec Executors, writers *Writers, read func(context.Context) (*snapshot, error)) *Loop {
	l := &Loop{
		cfg: cfg, read: read, exec: exec, Writers: writers, others: newOtherProxies(nil),
		memory:  memory{participant: election.NewParticipant(cfg.Node, cfg.RebalanceAfter), macs: announce.ClusterMACs{}, links: map[string][]lb.Link{}, answerers: answerers{}},
		started: time.Now(), leave: make(chan struct{}, 1), free: make(chan struct{}),
		metrics: newMetrics(cfg.Registerer),
	}
	l.bfd.Store(&announce.BFDPlan{})
	l.setUnready(errors.New("no pass has looked at the cluster yet"))
	return l
}

// Reconcile is one pass: look, compute, set, report.
func (l *Loop) Reconcile(ctx context.Context, _ loop.Wake) (_ reconcile.Result, err error) {
	began, end := time.Now(), l.progress.Begin()
	defer func() { end(err) }()
	defer func() { l.metrics.passes.Observe(time.Since(began).Seconds()) }()
	if l.cost.Long() {
		processors.Need()
	}

	seen, err := l.look(ctx)
	if err != nil {
		err = fmt.Errorf("look at the cluster: %w", err)
		l.stillUnready(err)
		if errors.Is(err, errNotAsked) {
			return reconcile.Result{RequeueAfter: askedInterval}, nil
		}
		return reconcile.Result{}, err
	}
	l.metrics.lastLook.SetToCurrentTime()
	stage := departure.Stage(l.departure.Load())
	desired := l.compute(seen, stage)
	if seen.again {
		l.costOfMembers.Observe(time.Since(began))
	}
	failed := l.set(ctx, desired)
	l.tellTracers(seen, desired)
	if l.memory.silences.update(desired.silent, seen.gossip.Port()) {
		l.cfg.Log.Warn("which nodes are silent in the gossip and keep their addresses has changed", "now", l.memory.silences.texts())
	}
	l.memory.withdrawals.set()
	l.departed.Store(int32(stage))
	observing := l.observe(seen)
	l.report(seen, desired.sessions, failed, observing)
	if !seen.again { // In a storm of events all that a pass takes counts.
		l.cost.Observe(time.Since(began))
	}
	l.metrics.show(desired, &l.memory.segments, failed)

	l.passed.Store(true)
	l.updateReady(began, seen, desired.sessions)
	l.updateFree(desired)
	wait := election.Sooner(desired.wait, l.memory.withdrawals.wait())
	if observing {
		wait = election.Sooner(wait, liveness.LookInterval)
	}
	return reconcile.Result{RequeueAfter: l.again(failed, wait)}, nil
}

// again returns when the next pass is due at the latest; 0: when something changes. It logs what failed, if that is new.
func (l *Loop) again(failed error, wait time.Duration) time.Duration {
	if l.Ready() != nil {
		wait = election.Sooner(wait, unreadyInterval)
	}
	if failed == nil {
		l.failure = ""
		return wait
	}
	if text := failed.Error(); text != l.failure {
		l.failure = text
		l.cfg.Log.Error("not everything can be announced", "error", failed)
	}
	return election.Sooner(wait, retryInterval)
}

// BFDDown is called when BFD does not reach a router any more. It closes all BGP sessions with it.
func (l *Loop) BFDDown(name, why string) {
	for _, session := range l.bfd.Load().Affected(name) {
		l.exec.BGP.BFDDown(session, "BFD is down: "+why)
	}
}

// BFDUp is called when BFD reaches a router again. All BGP sessions with it are tried.
func (l *Loop) BFDUp(name string) {
	for _, session := range l.bfd.Load().Affected(name) {
		l.exec.BGP.BFDUp(session)
	}
}
