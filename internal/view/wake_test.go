package view

import (
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

func TestPace(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name   string
		events []time.Duration // since the start
		passes []time.Duration // their beginnings
		takes  time.Duration   // each of them
		cost   time.Duration   // of each, as the loop tells
	}{
		{"a single event runs at once", []time.Duration{5 * ms}, []time.Duration{5 * ms}, 0, 0},
		{"events that follow are folded into one pass", []time.Duration{0, 1 * ms, 5 * ms, 19 * ms}, []time.Duration{0, 20 * ms}, 0, 0},
		{"a storm runs at the pace", []time.Duration{0, 10 * ms, 21 * ms, 30 * ms, 45 * ms}, []time.Duration{0, 20 * ms, 40 * ms, 60 * ms}, 0, 0},
		{"events far apart all run at once", []time.Duration{0, 50 * ms, 100 * ms}, []time.Duration{0, 50 * ms, 100 * ms}, 0, 0},
		{"an event right after a folded pass waits its turn", []time.Duration{0, 5 * ms, 25 * ms}, []time.Duration{0, 20 * ms, 40 * ms}, 0, 0},
		{"an event during a pass is followed by one", []time.Duration{0, 40 * ms}, []time.Duration{0, 50 * ms}, 50 * ms, 0},
		{
			"an event for later is not lost when the pass before begins late",
			[]time.Duration{0, 40 * ms, 45 * ms, 55 * ms},
			[]time.Duration{0, 50 * ms, 100 * ms},
			50 * ms,
			0,
		},
		{"a costly pass slows a storm", []time.Duration{0, 10 * ms, 41 * ms, 90 * ms}, []time.Duration{0, 40 * ms, 80 * ms, 120 * ms}, 5 * ms, 5 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := priorityqueue.New[Wake]("test") // the one controllers have
				p := &pacer{pace: DefaultPace, cost: func() time.Duration { return tt.cost }}
				start := time.Now()
				var passes []time.Duration
				go func() {
					for {
						wake, stopped := q.Get()
						if stopped {
							return
						}
						passes = append(passes, time.Since(start))
						time.Sleep(tt.takes)
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
