package loop

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/daymark-lb/daymark/internal/informer"
)

// burst is how many passes may run without an interval after a quiet time. A new Service causes several events in a row:
// itself, its endpoints, its address. A speaker may wait for any of them. A crash causes urgent wakes on each node: a
// suspicion, the verdict, the claims of others, and that for each node that crashes.
const burst, urgentBurst = 4, 16

// defaultCostFactor bounds the part of the time that a loop spends on looking and deciding to 1/defaultCostFactor;
// urgentCostFactor that of the passes for urgent wakes alone.
const defaultCostFactor, urgentCostFactor = 16, 4

// MaxInterval is the longest time between two passes in a storm of wakes, as long as they take a part of 1/maxShare of it at most. In a
// cluster of 100,000 Services they would take more, and have longer intervals.
const (
	MaxInterval = 500 * time.Millisecond
	maxShare    = 4
)

// textInterval is the longest time until a pass sees a change of nothing but a Service's conditions. Nothing is decided by
// those; when thousands are written, one after the other, a new Service must not wait among their wakes.
const textInterval = time.Second

type queue = workqueue.TypedRateLimitingInterface[Wake]

// pacer puts wakes into the queue of one loop, as a token bucket does. It has a timer of its own and does not use the queue's
// AddAfter: the queue merges a delayed wake with one that is about to run, so the delayed one could get lost.
type pacer struct {
	// min is the shortest interval, burst how many wakes in a row have none, factor the least ratio of interval and cost.
	min           time.Duration
	burst, factor time.Duration
	// cost of a pass; nil when it is not known.
	cost func() time.Duration
	// stale is set when a wake is put into the queue that is due to an event of an object; nil: nobody asks.
	stale *atomic.Bool

	mu sync.Mutex
	// due is when the newest wake is or was put into the queue.
	due time.Time
	// earned is when the passes so far would have run if there were an interval between each two.
	earned time.Time
	// later: a wake follows within textInterval.
	later bool
	// changed: there was an event of an object since the last wake that was put into the queue.
	changed bool
}

// newPacer returns the pacer of ordinary wakes.
func newPacer(interval time.Duration, cost func() time.Duration, factor int) *pacer {
	return &pacer{min: interval, cost: cost, burst: burst, factor: time.Duration(factor)}
}

// newUrgentPacer returns the pacer of urgent wakes. They wait for no ordinary one, and only a storm of their own is paced.
func newUrgentPacer(interval time.Duration, cost func() time.Duration) *pacer {
	return &pacer{min: interval, cost: cost, burst: urgentBurst, factor: urgentCostFactor}
}

// wake makes a pass begin after now, and not sooner than the interval allows.
func (p *pacer) wake(q queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Before(p.due) {
		return // The pass of the wake that is due will see this change too.
	}
	interval := p.interval()
	// The interval may have been longer for the passes so far: nothing waits longer than a burst of intervals of now.
	if latest := now.Add(p.burst * interval); p.earned.After(latest) {
		p.earned = latest
	}
	p.due = p.earned.Add(-(p.burst - 1) * interval)
	if wait := p.due.Sub(now); wait > 0 {
		time.AfterFunc(wait, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.add(q)
		})
	} else {
		p.due = now
		p.add(q)
	}
	if p.earned.Before(p.due) {
		p.earned = p.due
	}
	p.earned = p.earned.Add(interval)
}

// add puts a wake into the queue. The caller holds mu.
func (p *pacer) add(q queue) {
	if p.changed && p.stale != nil {
		p.stale.Store(true) // before the pass can begin
	}
	p.changed = false
	q.Add(Wake{})
}

// wakeOfObject is wake for an event of an object.
func (p *pacer) wakeOfObject(q queue) {
	p.note()
	p.wake(q)
}

// note notes that an object has changed.
func (p *pacer) note() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = true
}

// wakeLater makes a pass begin within textInterval. It takes no turn from other wakes: they may come as often as the interval allows
// all the same, and a new Service does not wait for its turn because texts are written.
func (p *pacer) wakeLater(q queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.later || time.Now().Before(p.due) {
		return
	}
	p.later = true
	time.AfterFunc(textInterval, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.later = false
		if !time.Now().Before(p.due) {
			p.add(q)
		}
	})
}

// interval between two passes in a storm of wakes.
func (p *pacer) interval() time.Duration {
	if p.cost == nil {
		return p.min
	}
	cost := p.cost()
	return max(p.min, min(p.factor*cost, MaxInterval), maxShare*cost)
}

// from makes a source of a channel: each value is a wake.
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
func (p *pacer) Create(_ context.Context, _ event.CreateEvent, q queue) { p.wakeOfObject(q) }

// Delete wakes.
func (p *pacer) Delete(_ context.Context, _ event.DeleteEvent, q queue) { p.wakeOfObject(q) }

// Generic wakes.
func (p *pacer) Generic(_ context.Context, _ event.GenericEvent, q queue) { p.wakeOfObject(q) }

// Update wakes, unless nothing changed that the caches keep: after a relist, or when a node only reports that it is alive. A
// change of a text wakes later.
func (p *pacer) Update(_ context.Context, e event.UpdateEvent, q queue) {
	switch {
	case informer.Unchanged(e.ObjectOld, e.ObjectNew):
	case informer.OnlyTextChanged(e.ObjectOld, e.ObjectNew):
		p.note()
		p.wakeLater(q)
	default:
		p.wakeOfObject(q)
	}
}
