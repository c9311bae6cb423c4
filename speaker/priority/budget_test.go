package priority

import (
	"testing"
	"time"
)

func TestBudget_WhoUsesLittleRunsInRealTime(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name string
		// steps are pairs of the time that passes and the processor time used in it.
		steps [][2]time.Duration
		may   bool
		after time.Duration
	}{
		{name: "nothing is used", steps: [][2]time.Duration{{time.Hour, 0}}, may: true},
		{name: "a fifth of a processor for an hour", steps: [][2]time.Duration{{time.Hour, 12 * time.Minute}}, may: true},
		{name: "a burst", steps: [][2]time.Duration{{100 * ms, 120 * ms}}, may: true},
		{name: "all of a processor", steps: [][2]time.Duration{{100 * ms, 100 * ms}, {100 * ms, 100 * ms}}, after: 601 * ms},
		{name: "a rest does not save up", steps: [][2]time.Duration{{time.Hour, 0}, {200 * ms, 200 * ms}}, after: 601 * ms},
		{name: "not before the burst is paid off", steps: [][2]time.Duration{{200 * ms, 200 * ms}, {400 * ms, 0}}, after: 201 * ms},
		{name: "when it is paid off", steps: [][2]time.Duration{{200 * ms, 200 * ms}, {601 * ms, 0}}, may: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := budget{}
			var at, used time.Duration
			may, after := b.update(at, used)
			for _, step := range test.steps {
				at, used = at+step[0], used+step[1]
				may, after = b.update(at, used)
			}
			if may != test.may || after != test.after {
				t.Errorf("may run in real time: %t, after %v; want %t, %v", may, after, test.may, test.after)
			}
		})
	}
}

func TestBudget_AStartIsNotInRealTime(t *testing.T) {
	const ms = time.Millisecond
	b := starting(40 * ms)
	if may, after := b.update(0, 40*ms); may || after != 401*ms {
		t.Errorf("it may run in real time: %t, or after %v", may, after)
	}
	if may, after := b.update(401*ms, 190*ms); may || after <= 0 {
		t.Errorf("having used more for its start, it may run in real time: %t, or after %v", may, after)
	}
	if may, _ := b.update(2*time.Second, 200*ms); !may {
		t.Error("at rest after its start it may not run in real time")
	}
}

func TestBudget_TellsWhenToLookAgain(t *testing.T) {
	const ms = time.Millisecond
	var b budget
	b.update(0, 0)
	if may, _ := b.update(40*ms, 40*ms); !may || b.left() != 71*ms {
		t.Fatalf("after 40 ms of a processor, may run in real time: %t; look again after %v, want 71ms", may, b.left())
	}
	if may, _ := b.update(40*ms, 40*ms+b.left()); may {
		t.Error("having used that at once it may still run in real time: it was looked at too soon")
	}
}
