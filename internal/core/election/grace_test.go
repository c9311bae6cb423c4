package election

import (
	"testing"
	"time"
)

func TestGrace_Wait(t *testing.T) {
	type step struct {
		at time.Duration
		in GraceInput
		// waits: nothing may be claimed.
		waits bool
	}
	expected := []string{"n2", "n3"}
	all, some, none := map[string]uint64{"n1": 1, "n2": 1, "n3": 1}, map[string]uint64{"n1": 1, "n2": 1}, map[string]uint64{"n1": 1}
	complete := GraceInput{Known: true, LinkUp: true, Expected: expected, Live: all}
	partly := GraceInput{Known: true, LinkUp: true, Expected: expected, Live: some}
	untold := complete
	untold.ClaimsMissing = true
	cutOff := GraceInput{Known: true, Expected: expected, Live: none}
	back := GraceInput{Known: true, LinkUp: true, Expected: expected, Live: none}
	alone := GraceInput{Known: true, Live: none}
	aloneBack := GraceInput{Known: true, LinkUp: true, Live: none}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"a speaker that finds all others begins at once", []step{{0, complete, false}}},
		{"one that misses some waits for a second and no longer", []step{{0, partly, true}, {900 * time.Millisecond, partly, true}, {time.Second, partly, false}}},
		{"one that finds all others waits for what they hold, as long", []step{{0, untold, true}, {900 * time.Millisecond, untold, true}, {time.Second, untold, false}}},
		{"and until it has come", []step{{0, untold, true}, {200 * time.Millisecond, complete, false}}},
		{"the second counts from when the membership is known", []step{
			{0, GraceInput{LinkUp: true, Expected: expected, Live: some}, false}, {5 * time.Second, partly, true},
		}},
		{"one that has begun does not wait for a newcomer", []step{{0, complete, false}, {time.Second, partly, false}}},
		{"a short loss of the link does not matter", []step{{0, complete, false}, {time.Second, cutOff, false}, {1100 * time.Millisecond, back, false}}},
		{"after a long one it waits to hear from the others", []step{
			{0, complete, false}, {time.Second, cutOff, false}, {4 * time.Second, back, true}, {4200 * time.Millisecond, complete, false}, {4300 * time.Millisecond, back, false},
		}},
		{"and from one that it hears what that holds", []step{
			{0, complete, false},
			{time.Second, cutOff, false},
			{4 * time.Second, back, true},
			{4100 * time.Millisecond, untold, true},
			{5400 * time.Millisecond, untold, true},
			{5450 * time.Millisecond, complete, false},
			{5460 * time.Millisecond, untold, false},
		}},
		{"and if that does not come, not for ever", []step{
			{0, complete, false}, {time.Second, cutOff, false}, {4 * time.Second, untold, true}, {5500 * time.Millisecond, untold, false},
		}},
		{"as long if the switch forwards late", []step{
			{0, complete, false},
			{time.Second, cutOff, false},
			{4 * time.Second, back, true},
			{5 * time.Second, back, false},
			{34 * time.Second, untold, true},
			{35400 * time.Millisecond, untold, true},
			{35500 * time.Millisecond, untold, false},
			{36 * time.Second, untold, false},
		}},
		{"and not for who is heard long after that", []step{
			{0, complete, false}, {time.Second, cutOff, false}, {4 * time.Second, back, true}, {time.Minute, back, false}, {61 * time.Second, untold, false},
		}},
		{"what is missing without that does not matter", []step{{0, complete, false}, {time.Second, untold, false}}},
		{"and if it hears from none, not for ever", []step{
			{0, complete, false}, {time.Second, cutOff, false}, {4 * time.Second, back, true}, {4400 * time.Millisecond, back, true}, {4500 * time.Millisecond, back, false},
		}},
		{"one that is the only one waits for nobody", []step{{0, aloneBack, false}, {time.Second, alone, false}, {4 * time.Second, aloneBack, false}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var g Grace
			began := time.Unix(0, 0)
			for _, step := range test.steps {
				if wait := g.Wait(began.Add(step.at), step.in); (wait > 0) != step.waits {
					t.Fatalf("after %v it waits %v more, want waiting %v", step.at, wait, step.waits)
				}
			}
		})
	}
}
