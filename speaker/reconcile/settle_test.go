package reconcile

import (
	"testing"
	"time"
)

func TestSettling(t *testing.T) {
	type step struct {
		at time.Duration
		c  circumstances
		// settling: nothing may be claimed.
		settling bool
	}
	here := circumstances{known: true, complete: true, linked: true}
	partly := circumstances{known: true, linked: true}
	cut := circumstances{known: true, isolated: true}
	back := circumstances{known: true, isolated: true, linked: true}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"a speaker that finds all others begins at once", []step{{0, here, false}}},
		{"one that misses some waits for a second and no longer", []step{{0, partly, true}, {900 * time.Millisecond, partly, true}, {time.Second, partly, false}}},
		{"the second counts from when the membership is known", []step{{0, circumstances{linked: true}, false}, {5 * time.Second, partly, true}}},
		{"one that has settled does not wait for a newcomer", []step{{0, here, false}, {time.Second, partly, false}}},
		{"a short loss of the link does not matter", []step{{0, here, false}, {time.Second, cut, false}, {1100 * time.Millisecond, back, false}}},
		{"after a long one word of the others is waited for", []step{
			{0, here, false}, {time.Second, cut, false}, {4 * time.Second, back, true}, {4200 * time.Millisecond, here, false}, {4300 * time.Millisecond, back, false},
		}},
		{"and if none comes, not for ever", []step{
			{0, here, false}, {time.Second, cut, false}, {4 * time.Second, back, true}, {4400 * time.Millisecond, back, true}, {4500 * time.Millisecond, back, false},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s settlement
			began := time.Unix(0, 0)
			for _, step := range test.steps {
				if wait := s.wait(began.Add(step.at), step.c); (wait > 0) != step.settling {
					t.Fatalf("after %v it waits %v more, want waiting %v", step.at, wait, step.settling)
				}
			}
		})
	}
}
