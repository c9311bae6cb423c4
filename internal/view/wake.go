package view

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Wake is the one request of a loop: look at everything. It carries nothing, so all wakes are equal and fold in the queue.
type Wake struct{}

// DefaultPace is the time within which the wakes of a storm are folded into one.
const DefaultPace = 20 * time.Millisecond

// burst is how many passes may run ahead of the pace after a quiet time. One new Service is some events in a row: itself,
// its endpoints, its address. Each of them may be what a speaker waits for.
const burst = 4

// syncTimeout is how long a loop waits for its caches: without an API server nothing is known, and to end would not help.
const syncTimeout = 10 * 365 * 24 * time.Hour

// A pass that fails is tried again after minRetry, then at growing intervals up to maxRetry. Any event wakes it sooner.
const (
	minRetry = 50 * time.Millisecond
	maxRetry = 5 * time.Second
)

// Wiring says what wakes a loop.
type Wiring struct {
	// Name of the loop in logs and metrics.
	Name string
	// Kinds whose every change is a wake. Their informers are started.
	Kinds []client.Object
	// Wakes are other sources: each value received is a wake. A source that closes its channel ends.
	Wakes []<-chan struct{}
	// Pace; 0 for DefaultPace. The first few wakes after a quiet time run at once, and one in each Pace after that; those
	// that come between run together.
	Pace time.Duration
	// Cost of looking and deciding, if the loop can tell. In a storm the pace is slowed to many times that, so that a large
	// cluster in motion costs a part of one processor and not all of it.
	Cost *Cost
}

// Cost is how long a pass takes on average. The zero value is ready for use.
type Cost struct{ average atomic.Int64 }

// Observe takes note of a pass; passes come one after the other. One that takes many times as long as usual, for want of a
// processor or since it was the first, counts little.
func (c *Cost) Observe(d time.Duration) {
	before := c.get()
	c.average.Store(int64(before + (min(d, 4*before+time.Millisecond)-before)/8))
}

func (c *Cost) get() time.Duration { return time.Duration(c.average.Load()) }

// costFactor bounds the part of the time that a loop spends on looking and deciding to one in so many.
const costFactor = 16

// LongestInterval is how long a loop rests at most between two passes that are wanted, whatever they cost.
const LongestInterval = 500 * time.Millisecond

// Add builds the loop into a manager, which starts it. One pass runs at a time, the first one as soon as the caches have
// synced, whether or not there is any object. A manager with leader election runs passes on the leader only, but keeps
// the caches of the others warm.
func (w Wiring) Add(m manager.Manager, loop reconcile.TypedReconciler[Wake]) error {
	warm := true
	wakes := &pacer{pace: w.Pace}
	if w.Cost != nil {
		wakes.cost = w.Cost.get
	}
	if wakes.pace == 0 {
		wakes.pace = DefaultPace
	}
	b := builder.TypedControllerManagedBy[Wake](m).Named(w.Name).WithOptions(controller.TypedOptions[Wake]{
		RateLimiter:      workqueue.NewTypedItemExponentialFailureRateLimiter[Wake](minRetry, maxRetry),
		EnableWarmup:     &warm,
		CacheSyncTimeout: syncTimeout,
	})
	for _, kind := range w.Kinds {
		b.Watches(kind, wakes)
	}
	b.WatchesRawSource(source.TypedFunc[Wake](func(_ context.Context, q queue) error {
		wakes.wake(q)
		return nil
	}))
	for _, channel := range w.Wakes {
		b.WatchesRawSource(wakes.from(channel))
	}
	if err := b.Complete(loop); err != nil {
		return fmt.Errorf("wire the loop %s: %w", w.Name, err)
	}
	return nil
}

type queue = workqueue.TypedRateLimitingInterface[Wake]

// pacer puts wakes into the queue of one loop. Its zero time is long ago: the first wake runs at once. It keeps the time
// by itself, since the queue merges a wake for later with one that is about to run, and then later never comes.
type pacer struct {
	pace time.Duration
	// cost of a pass; nil when it is not known.
	cost func() time.Duration

	mu sync.Mutex
	// due is when the newest wake is put into the queue, or was.
	due time.Time
	// even is when the passes so far would be through at the pace.
	even time.Time
}

// wake sees to it that a pass begins after now, and not sooner than the pace allows.
func (p *pacer) wake(q queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Before(p.due) {
		return // A wake is on its way to the queue; the pass it starts will see this change too.
	}
	interval := p.interval()
	// The passes so far may have been dearer than those to come: no debt is longer than a burst.
	if most := now.Add(burst * interval); p.even.After(most) {
		p.even = most
	}
	p.due = p.even.Add(-(burst - 1) * interval)
	if wait := p.due.Sub(now); wait > 0 {
		time.AfterFunc(wait, func() { q.Add(Wake{}) })
	} else {
		p.due = now
		q.Add(Wake{})
	}
	if p.even.Before(p.due) {
		p.even = p.due
	}
	p.even = p.even.Add(interval)
}

// interval between two wakes.
func (p *pacer) interval() time.Duration {
	if p.cost == nil {
		return p.pace
	}
	return max(p.pace, min(costFactor*p.cost(), LongestInterval))
}

// from makes a source of a channel.
func (p *pacer) from(channel <-chan struct{}) source.TypedSource[Wake] {
	return source.TypedFunc[Wake](func(ctx context.Context, q queue) error {
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case _, open := <-channel:
					if !open {
						return
					}
					p.wake(q)
				}
			}
		}()
		return nil
	})
}

var _ handler.TypedEventHandler[client.Object, Wake] = (*pacer)(nil)

// Create wakes.
func (p *pacer) Create(_ context.Context, _ event.CreateEvent, q queue) { p.wake(q) }

// Delete wakes.
func (p *pacer) Delete(_ context.Context, _ event.DeleteEvent, q queue) { p.wake(q) }

// Generic wakes.
func (p *pacer) Generic(_ context.Context, _ event.GenericEvent, q queue) { p.wake(q) }

// Update wakes, unless nothing changed that the caches keep: a relist, or a node that merely reports that it is alive.
func (p *pacer) Update(_ context.Context, e event.UpdateEvent, q queue) {
	if !sameButVersion(e.ObjectOld, e.ObjectNew) {
		p.wake(q)
	}
}
