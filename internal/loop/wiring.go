package loop

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Wake is the only request of a loop: look at everything. It carries nothing, so all wakes are equal, and the queue keeps one
// of several.
type Wake struct{}

// DefaultInterval is the time between two passes in a storm of wakes.
const DefaultInterval = 20 * time.Millisecond

// syncTimeout is how long a loop waits for its caches: without an API server nothing is known, and ending would not help.
const syncTimeout = 10 * 365 * 24 * time.Hour

// A pass that fails is repeated after minRetryInterval, then at growing intervals up to maxRetryInterval. Any event wakes the
// loop sooner.
const (
	minRetryInterval = 50 * time.Millisecond
	maxRetryInterval = 5 * time.Second
)

// Wiring says what wakes a loop.
type Wiring struct {
	// Name of the loop in logs and metrics.
	Name string
	// Kinds whose every change is a wake. Their informers are started.
	Kinds []client.Object
	// Wakes are other sources: each value received is a wake. A source that closes its channel ends.
	Wakes []<-chan struct{}
	// Urgent are sources like Wakes whose passes begin at once, however often the loop runs and whatever a pass costs. Only
	// a storm of urgent wakes is paced.
	Urgent []<-chan struct{}
	// Interval between two passes in a storm of wakes; 0 for DefaultInterval. After a quiet time the first few wakes run at
	// once.
	Interval time.Duration
	// Cost of looking and deciding, if the loop measures it. In a storm the interval grows to many times the cost, so that a
	// large cluster in motion takes a part of one processor and not all of it. UrgentCost is that of the passes for urgent wakes; nil:
	// it is no other.
	Cost, UrgentCost *Cost
	// Stale, if given, is set before each pass that is due to an event of an object of Kinds, and never reset: until then a pass may use
	// what an earlier one has read, which is no older than the pace of those passes allows.
	Stale *atomic.Bool
	// CostFactor is how many times the cost; 0 for 16.
	CostFactor int
}

// Add adds the loop to a manager, which starts it. One pass runs at a time, the first one as soon as the caches have synced,
// whether or not there is any object.
func (w Wiring) Add(m manager.Manager, loop reconcile.TypedReconciler[Wake]) error {
	warm := true
	interval := cmp.Or(w.Interval, DefaultInterval)
	wakes := newPacer(interval, w.Cost.getter(), cmp.Or(w.CostFactor, defaultCostFactor))
	urgent := newUrgentPacer(interval, cmp.Or(w.UrgentCost, w.Cost).getter())
	wakes.stale = w.Stale
	b := builder.TypedControllerManagedBy[Wake](m).Named(w.Name).WithOptions(controller.TypedOptions[Wake]{
		RateLimiter:      workqueue.NewTypedItemExponentialFailureRateLimiter[Wake](minRetryInterval, maxRetryInterval),
		EnableWarmup:     &warm,
		CacheSyncTimeout: syncTimeout,
		NewQueue:         newQueue,
	})
	for _, kind := range w.Kinds {
		b.Watches(kind, wakes)
	}
	b.WatchesRawSource(source.TypedFunc[Wake](func(_ context.Context, q queue) error {
		wakes.wakeOfObject(q)
		return nil
	}))
	for _, channel := range w.Wakes {
		b.WatchesRawSource(wakes.from(channel))
	}
	for _, channel := range w.Urgent {
		b.WatchesRawSource(urgent.from(channel))
	}
	if err := b.Complete(loop); err != nil {
		return fmt.Errorf("wire the loop %s: %w", w.Name, err)
	}
	return nil
}

// newQueue returns the queue of a loop. It has no name and therefore no metrics: those of a queue that holds one wake at most say
// nothing, and a timer would fire twice a second for them.
func newQueue(_ string, limiter workqueue.TypedRateLimiter[Wake]) queue {
	return priorityqueue.New("", func(o *priorityqueue.Opts[Wake]) { o.RateLimiter = limiter })
}
