package loop

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/daymark-lb/daymark/internal/bubble"
)

func TestCost_Average(t *testing.T) {
	const ms = time.Millisecond
	var c Cost
	for i := range 64 {
		c.Observe(time.Duration(5+10*(i%2)) * ms)
	}
	if got := c.get(); got < 9*ms || got > 11*ms {
		t.Errorf("of passes of 5 and 15 ms the average is %s", got)
	}
	for range 64 {
		c.Observe(ms)
	}
	c.Observe(200 * ms)
	if got := c.get(); got > 2*ms {
		t.Errorf("after one pass of 200 ms among those of 1 ms the average is %s", got)
	}
}

// The first pass after a start parses everything, and those that follow cost little.
func TestPacer_CostlyPassDelaysNoLaterOne(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		q := priorityqueue.New[Wake]("test")
		defer q.ShutDown()
		cost := 200 * time.Millisecond
		p := newPacer(DefaultInterval, func() time.Duration { return cost }, defaultCostFactor)
		for range burst + 2 {
			p.wake(q)
		}
		time.Sleep(maxShare * cost)
		cost = time.Millisecond
		for range 2 { // The first may have been on its way.
			began := time.Now()
			p.wake(q)
			if wait := p.due.Sub(began); wait > DefaultInterval {
				t.Errorf("the next pass begins after %s", wait)
			}
			time.Sleep(max(0, time.Until(p.due)))
		}
	})
}

func TestPacer_Wake(t *testing.T) {
	at := func(ms ...time.Duration) (times []time.Duration) {
		for _, t := range ms {
			times = append(times, t*time.Millisecond)
		}
		return times
	}
	tests := []struct {
		name   string
		events []time.Duration // since the start
		passes []time.Duration // their beginnings
		takes  time.Duration   // each of them, in milliseconds
		cost   time.Duration   // of each, as the loop tells
	}{
		{"a single event runs at once", at(5), at(5), 0, 0},
		{"so do a few in a row", at(0, 1, 5, 19), at(0, 1, 5, 19), 0, 0},
		{"those that follow are folded into one pass", at(0, 1, 2, 3, 4, 8, 19), at(0, 1, 2, 3, 20), 0, 0},
		{"a storm runs at the interval", at(0, 1, 2, 3, 4, 21, 30, 39, 41, 55), at(0, 1, 2, 3, 20, 40, 60), 0, 0},
		{"events far apart all run at once", at(0, 50, 100, 150, 200, 250), at(0, 50, 100, 150, 200, 250), 0, 0},
		{"an event right after a folded pass waits its turn", at(0, 1, 2, 3, 4, 21), at(0, 1, 2, 3, 20, 40), 0, 0},
		{"a quiet time allows as many again as it was long", at(0, 1, 2, 3, 41, 42, 43), at(0, 1, 2, 3, 41, 42, 60), 0, 0},
		{"an event during a pass is followed by one", at(0, 40), at(0, 50), 50, 0},
		{"an event for later is not lost when the pass before begins late", at(0, 1, 2, 3, 4, 45, 95), at(0, 50, 100), 50, 0},
		{"a costly pass slows a storm", at(0, 1, 2, 3, 4, 81, 161), at(0, 10, 80, 160, 240), 10, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				q := priorityqueue.New[Wake]("test") // the one controllers have
				p := newPacer(DefaultInterval, func() time.Duration { return tt.cost * time.Millisecond }, defaultCostFactor)
				start := time.Now()
				var passes []time.Duration
				go func() {
					for {
						wake, stopped := q.Get()
						if stopped {
							return
						}
						passes = append(passes, time.Since(start))
						time.Sleep(tt.takes * time.Millisecond)
						q.Done(wake)
					}
				}()
				for _, at := range tt.events {
					time.Sleep(time.Until(start.Add(at)))
					p.wake(q)
				}
				time.Sleep(time.Second)
				q.ShutDown()
				synctest.Wait()
				if len(passes) != len(tt.passes) {
					t.Fatalf("passes at %v, want %v", passes, tt.passes)
				}
				for i, want := range tt.passes {
					if passes[i] != want {
						t.Errorf("passes at %v, want %v", passes, tt.passes)
					}
				}
			})
		})
	}
}

func TestPacer_CostFactor(t *testing.T) {
	p := newPacer(DefaultInterval, func() time.Duration { return 5 * time.Millisecond }, defaultCostFactor)
	if got, want := p.interval(), 80*time.Millisecond; got != want {
		t.Errorf("the interval is %s, want %s", got, want)
	}
	if p.factor = 32; p.interval() != 160*time.Millisecond {
		t.Errorf("the interval is %s with a factor of 32", p.interval())
	}
	// Costly passes wait for no longer than MaxInterval, as long as they take a quarter of the time at most.
	for cost, want := range map[time.Duration]time.Duration{100: 500, 125: 500, 300: 1200} {
		p.cost = func() time.Duration { return cost * time.Millisecond }
		if got := p.interval(); got != want*time.Millisecond {
			t.Errorf("the interval is %s when a pass takes %d ms", got, cost)
		}
	}
}

// While thousands of conditions are rewritten, a new Service must not wait for a turn.
func TestPacer_TextsTakeNoTurns(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		q := priorityqueue.New[Wake]("test")
		defer q.ShutDown()
		p := newPacer(DefaultInterval, func() time.Duration { return 100 * time.Millisecond }, defaultCostFactor)
		passes := 0
		go func() {
			for {
				wake, stopped := q.Get()
				if stopped {
					return
				}
				passes++
				q.Done(wake)
			}
		}()
		for i := range 1000 {
			before, after := &corev1.Service{}, &corev1.Service{}
			after.ResourceVersion = fmt.Sprint(i + 1)
			after.Status.Conditions = []metav1.Condition{{Type: "daymark.io/Announced", Message: after.ResourceVersion}}
			p.Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, q)
			time.Sleep(5 * time.Millisecond)
		}
		synctest.Wait()
		if passes < 4 || passes > 6 {
			t.Errorf("%d passes in 5 s of rewrites", passes)
		}
		before := passes
		p.Create(t.Context(), event.CreateEvent{Object: &corev1.Service{}}, q)
		synctest.Wait()
		if passes != before+1 {
			t.Error("a new Service waits for a turn")
		}
	})
}

// A crash is not found sooner by waiting: with 10,000 Services in motion a pass takes 16 ms, and ordinary wakes wait for half a
// second.
func TestPacer_UrgentWakesWaitForNoOrdinaryOne(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		q := priorityqueue.New[Wake]("test")
		defer q.ShutDown()
		var passes atomic.Int64
		var last atomic.Pointer[time.Time]
		go func() {
			for {
				wake, stopped := q.Get()
				if stopped {
					return
				}
				now := time.Now()
				last.Store(&now)
				passes.Add(1)
				q.Done(wake)
			}
		}()
		cost := func() time.Duration { return 16 * time.Millisecond }
		ordinary, urgent := newPacer(DefaultInterval, cost, defaultCostFactor), newUrgentPacer(DefaultInterval, cost)
		for range 20 {
			ordinary.wake(q)
			time.Sleep(100 * time.Millisecond)
		}
		for range urgentBurst {
			began := time.Now()
			urgent.wake(q)
			synctest.Wait()
			if last.Load().Before(began) {
				t.Fatal("an urgent wake waits")
			}
			time.Sleep(time.Millisecond)
		}
		before := passes.Load()
		for range 1000 {
			urgent.wake(q)
			time.Sleep(time.Millisecond)
		}
		if storm := passes.Load() - before; storm > 20 {
			t.Errorf("a storm of urgent wakes takes %d passes of 16 ms in a second", storm)
		}
	})
}

// What a pass has read is stale when a pass is due to an event of an object, and not before: an urgent pass between does without.
func TestPacer_StaleWhenThePassOfAnEventIsDue(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		q := priorityqueue.New[Wake]("test")
		defer q.ShutDown()
		var stale atomic.Bool
		var passes atomic.Int32
		var found atomic.Bool
		go func() {
			for {
				wake, stopped := q.Get()
				if stopped {
					return
				}
				passes.Add(1)
				found.Store(stale.Swap(false))
				q.Done(wake)
			}
		}()
		cost := func() time.Duration { return 10 * time.Millisecond }
		p, urgent := newPacer(DefaultInterval, cost, defaultCostFactor), newUrgentPacer(DefaultInterval, cost)
		p.stale = &stale
		text := func() {
			before, after := &corev1.Service{}, &corev1.Service{}
			after.ResourceVersion = "2"
			after.Status.Conditions = []metav1.Condition{{Type: "daymark.io/Announced", Message: "x"}}
			p.Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, q)
		}
		create := func() { p.Create(t.Context(), event.CreateEvent{Object: &corev1.Service{}}, q) }
		for i, step := range []struct {
			name  string
			wakes func()
			wait  time.Duration
			want  bool
		}{
			{"an event", create, 0, true},
			{"a wake of something else", func() { p.wake(q) }, 0, false},
			{"more events", create, 0, true},
			{"until the next has to wait", create, 0, true},
			{"an event that waits, and an urgent wake", func() { create(); urgent.wake(q) }, 0, false},
			{"the turn of that event", func() {}, time.Second, true},
			{"an urgent wake", func() { urgent.wake(q) }, 0, false},
			{"a text", text, textInterval, true},
			{"an event during the wait of a text, and its pass", func() { text(); p.wake(q) }, 0, true},
		} {
			before := passes.Load()
			step.wakes()
			time.Sleep(step.wait)
			synctest.Wait()
			if made := passes.Load() - before; made != 1 || found.Load() != step.want {
				t.Fatalf("%d, %s: %d passes, the last of which found stale: %v", i, step.name, made, found.Load())
			}
		}
	})
}

// Services that come as often as the interval allows do not wait longer because texts are written meanwhile.
func TestPacer_TextsLeaveAllTurns(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		q := priorityqueue.New[Wake]("test")
		defer q.ShutDown()
		p := newPacer(DefaultInterval, func() time.Duration { return 100 * time.Millisecond }, defaultCostFactor)
		var passed time.Time
		go func() {
			for {
				wake, stopped := q.Get()
				if stopped {
					return
				}
				passed = time.Now()
				q.Done(wake)
			}
		}()
		for i := range 4000 { // every 5 ms
			if i%110 == 0 {
				created := time.Now()
				p.Create(t.Context(), event.CreateEvent{Object: &corev1.Service{}}, q)
				synctest.Wait()
				if passed != created {
					t.Fatalf("the Service made at step %d waits for a turn", i)
				}
			}
			before, after := &corev1.Service{}, &corev1.Service{}
			after.ResourceVersion = fmt.Sprint(i + 1)
			after.Status.Conditions = []metav1.Condition{{Type: "daymark.io/Announced", Message: after.ResourceVersion}}
			p.Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, q)
			time.Sleep(5 * time.Millisecond)
		}
	})
}

func TestCost_IntervalIsBounded(t *testing.T) {
	var c Cost
	if got := c.Interval(); got != 0 {
		t.Errorf("before the first pass it is %v", got)
	}
	for range 100 {
		c.Observe(5 * time.Millisecond)
	}
	if got := c.Interval(); got < 70*time.Millisecond || got > 80*time.Millisecond {
		t.Errorf("with passes of 5 ms it is %v", got)
	}
	for range 100 {
		c.Observe(time.Second)
	}
	if got := c.Interval(); got != MaxInterval {
		t.Errorf("with passes of 1 s it is %v", got)
	}
}
