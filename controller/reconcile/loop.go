package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/loop"
	"github.com/daymark-lb/daymark/internal/progress"
)

// catchUpInterval is when a loop runs again whose cache does not show yet what was written before its term. The change itself
// wakes the loop; this is for the case that the object is gone.
const catchUpInterval = 100 * time.Millisecond

// costFactor bounds the part of the time that passes take in a storm to 1/costFactor. While thousands of Services are created,
// an address waits longer for the API server than for a pass, which shares its processors.
const costFactor = 32

// fieldOwner names this program in the managedFields of what it writes.
const fieldOwner = "daymark-controller"

// Config of a loop.
type Config struct {
	// Namespace that Daymark runs in.
	Namespace string
	Classes   lb.Classes
	// PoolGrace is how long Services keep the addresses of a pool that does not exist any more.
	PoolGrace time.Duration
	// CleanupFinalizer: Services with addresses get the finalizer v1beta1.FinalizerCleanup.
	CleanupFinalizer bool
	// Leader says whether this process may work. Nil: it always may.
	Leader *Leader
	// Options of the speakers, which the condition Announced depends on.
	Options    announce.Options
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Loop is the controller's loop.
type Loop struct {
	namespace string
	classes   lb.Classes
	poolGrace time.Duration
	// cleanupFinalizer: see Config.
	cleanupFinalizer bool

	options announce.Options
	log     *slog.Logger
	now     func() time.Time

	listers *listers
	// informers of the kinds that the loop reads.
	informers cache.Informers
	kinds     []client.Object
	client    client.Client
	// direct reads from the API server and not from the cache.
	direct  client.Reader
	writer  *writer
	events  *eventWriter
	metrics *metrics
	// cost of looking and deciding.
	cost loop.Cost

	// cidrs are the ranges of cluster IPs.
	cidrs serviceCIDRs
	// written is when the objects that are written at a bounded pace were last written: a time.Time by the objectKey.
	written sync.Map
	// announced paces the writes of the condition Announced.
	announced announcedPace
	// again is how long after this pass the loop runs again without being woken; 0 for never.
	again time.Duration
	// loggedNoKey: it was logged that the Secret of the gossip has no key.
	loggedNoKey bool

	// progress of the passes, and when the loop was made, for the probes.
	progress progress.Tracker
	started  time.Time
	// passed: a pass has come to its end in this term.
	passed atomic.Bool

	leader *Leader
	// term of leadership that the fields below belong to.
	term    int
	assumed assumeCache
	// monitors know which speakers are gone.
	monitors *monitors
	// contests with other writers of the same Services, and the lookups of who those are.
	contests contests
	lookups  lookups
	planner  ipam.Planner
	// settled are the Services of which it was settled in the pass before what they should have.
	settled settled
	// accepted is what was accepted in this term of leadership, and may not be written yet.
	accepted accepted
	// caughtUp: the cache shows everything that was written before this term.
	caughtUp bool
	// holdings of the Speaker objects, which change seldom beside Services and endpoints.
	holdings cluster.HoldingsReader
	// counted are the figures of the pass that runs.
	counted *figures
	// behind are the Services that the cache shows in an older version than they had when this term began; nil before they are
	// known.
	behind map[types.UID]serviceVersion
}

// Add makes a loop and adds it to a manager, which runs it.
func Add(m manager.Manager, c Config) (*Loop, error) {
	l := newLoop(c)
	l.client, l.direct = client.WithFieldOwner(m.GetClient(), fieldOwner), m.GetAPIReader()
	l.informers, l.listers = m.GetCache(), newListers(m.GetCache(), c.Namespace)
	l.events = newEventWriter(l.client, c.Log, l.metrics.eventsDropped)
	l.monitors.direct = l.direct
	for _, part := range []manager.Runnable{l.events, l.writer, l.monitors} {
		if err := m.Add(part); err != nil {
			return nil, fmt.Errorf("add to the manager: %w", err)
		}
	}
	wiring := loop.Wiring{Name: "controller", Kinds: l.kinds, Cost: &l.cost, CostFactor: costFactor, Wakes: []<-chan struct{}{l.writer.wakes, l.monitors.wakes}}
	if l.leader != nil {
		wiring.Wakes = append(wiring.Wakes, l.leader.Changes())
	}
	return l, wiring.Add(m, l)
}

// newLoop makes a loop that has no client yet.
func newLoop(c Config) *Loop {
	l := &Loop{
		namespace: c.Namespace, classes: c.Classes, poolGrace: c.PoolGrace, cleanupFinalizer: c.CleanupFinalizer, options: c.Options,
		log: c.Log, now: time.Now,
		leader: c.Leader, started: time.Now(), kinds: kinds(),
		assumed: assumeCache{}, announced: newAnnouncedPace(), counted: newFigures(),
	}
	l.metrics = newMetrics(c.Registerer, func() bool { leads, _ := l.leads(); return leads })
	l.accepted = newAccepted()
	l.writer = newWriter(c.Log, l.metrics, l.work)
	l.monitors = newMonitors(c.Namespace, l.work)
	return l
}

// work calls a function if this process leads.
func (l *Loop) work(f func(ctx context.Context, term int) error) (led bool, err error) {
	if l.leader == nil {
		return true, f(context.Background(), 0)
	}
	return l.leader.Work(f)
}

// Reconcile is one pass, if this process leads.
func (l *Loop) Reconcile(context.Context, loop.Wake) (result reconcile.Result, err error) {
	end := l.progress.Begin()
	defer func() { end(err) }()
	led, err := l.work(func(ctx context.Context, term int) error {
		if term != l.term {
			l.passed.Store(false)
			l.term = term
			l.forget()
		}
		var err error
		result, err = l.pass(ctx)
		return err
	})
	if !led {
		l.forget() // it is as large as the cache
	}
	return result, err
}

// forget drops what is valid in one term of leadership only: another may lead meanwhile.
func (l *Loop) forget() {
	l.caughtUp, l.behind, l.assumed, l.planner, l.contests, l.settled = false, nil, assumeCache{}, ipam.Planner{}, contests{}, settled{}
	l.accepted = newAccepted()
	l.metrics.figures.Store(nil)
	l.metrics.looked.Store(nil)
	l.writer.Forget()
}

// pass looks, decides, and hands what is to be written to the writer. It waits for no write.
func (l *Loop) pass(ctx context.Context) (reconcile.Result, error) {
	began := l.now()
	defer l.metrics.observePass(began)
	l.again = 0
	ended, underWay := l.writer.Hold()
	for _, r := range ended {
		l.record(r)
	}
	for _, w := range underWay { // order does not matter: each is of another Service
		l.contests.perhaps(w)
	}
	l.contests.prune(began)
	s, err := l.look(ctx, underWay)
	if err != nil {
		l.writer.Release()
	}
	if errors.Is(err, errCacheBehind) {
		l.log.Debug("waiting for the cache", "error", err)
		return reconcile.Result{RequeueAfter: catchUpInterval}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("look at the cluster: %w", err)
	}
	looked := l.now()
	l.metrics.looked.Store(&looked)
	plan := l.planner.Compute(s.AddressWorld(l.now(), l.classes, l.poolGrace, ipam.Memory{}))
	world := s.lastGood.ReportedWorld(l.classes, l.options)
	explainer := announce.NewExplainer(&world)
	l.counted = newFigures()
	writes := slices.Concat(
		l.serviceWrites(s, &plan, explainer), l.gossipKeyWrites(s.Secrets),
		l.objectWrites(s, &plan, explainer.OverriddenAttributes(world.Services)),
	)
	l.writer.Set(writes, l.now())
	l.passed.Store(true)
	l.cost.Observe(l.now().Sub(began))
	l.counted.countPools(plan.Pools)
	l.counted.countReports(s.Nodes, s.Speakers)
	l.counted.readKey(s.Secrets)
	l.counted.passed = l.now()
	l.metrics.figures.Store(l.counted)
	if !plan.Next.IsZero() {
		l.runAgain(plan.Next.Sub(l.now()))
	}
	return reconcile.Result{RequeueAfter: l.again}, nil
}

// look reads the caches, with our own writes that they do not show yet.
func (l *Loop) look(ctx context.Context, underWay []*serviceWrite) (*snapshot, error) {
	s, err := l.listers.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.catchUp(ctx, s.services); err != nil {
		return nil, err
	}
	if s.ServiceCIDRs, err = l.readServiceCIDRs(ctx); err != nil {
		return nil, err
	}
	l.listers.changedEndpoints = nil
	s.setServices(l.assumed.newest(s.services, underWay), &l.listers.provided)
	return s, nil
}

// runAgain has the loop run again after a time, unless it does so earlier.
func (l *Loop) runAgain(after time.Duration) {
	after = max(after, time.Millisecond)
	if l.again == 0 || after < l.again {
		l.again = after
	}
}
