package detector

import (
	"testing"
	"time"
)

// Each step happens at a time since the start.
func TestBootstrap_KnowsTheMembershipWhen(t *testing.T) {
	type step struct {
		at time.Duration
		// told of so many peers that are waited for; -1: not told anything.
		told int
		// gone is how many more it was told of that are gone.
		gone  int
		meets bool
		known bool
	}
	const nothing = -1
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"told nothing, it never knows", []step{{0, nothing, 0, false, false}, {time.Hour, nothing, 0, false, false}}},
		{"one that is met makes it known at once, whatever was told", []step{{0, nothing, 0, true, true}}},
		{"told of none, it is alone after a second", []step{
			{0, 0, 0, false, false}, {999 * time.Millisecond, nothing, 0, false, false}, {time.Second, nothing, 0, false, true},
		}},
		{"told again of none, the second does not start again", []step{
			{0, 0, 0, false, false}, {900 * time.Millisecond, 0, 0, false, false}, {time.Second, nothing, 0, false, true},
		}},
		{"told of one within the second, it is not alone", []step{
			{0, 0, 0, false, false},
			{500 * time.Millisecond, 1, 0, false, false},
			{5 * time.Second, nothing, 0, false, false},
		}},
		{"told of none after all, the second starts", []step{
			{0, 1, 0, false, false},
			{3 * time.Second, 0, 0, false, false},
			{3900 * time.Millisecond, nothing, 0, false, false},
			{4 * time.Second, nothing, 0, false, true},
		}},
		{"those that do not answer are waited for, however long", []step{
			{0, 2, 0, false, false}, {time.Hour, nothing, 0, false, false},
		}},
		{"those that are gone are waited for a while", []step{
			{0, 0, 2, false, false}, {4999 * time.Millisecond, nothing, 0, false, false}, {5 * time.Second, nothing, 0, false, true},
		}},
		{"one that is not gone is waited for beside one that is", []step{
			{0, 1, 1, false, false}, {time.Hour, nothing, 0, false, false},
		}},
		{"one that is gone and comes again is waited for again", []step{
			{0, 0, 1, false, false}, {3 * time.Second, 1, 0, false, false}, {time.Hour, nothing, 0, false, false},
		}},
		{"a verdict that was due is not undone by what is new", []step{
			{0, 0, 0, false, false}, {2 * time.Second, 3, 0, false, true},
		}},
		{"once known it stays known, though all others are lost", []step{
			{0, 1, 0, true, true}, {time.Second, nothing, 0, false, true}, {2 * time.Second, 7, 0, false, true},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Unix(1e9, 0)
			var b Bootstrap
			for i, s := range test.steps {
				if s.told != nothing {
					b.Expect(begin.Add(s.at), s.told, s.gone)
				}
				if b.Observe(begin.Add(s.at), s.meets); b.Known() != s.known {
					t.Fatalf("step %d, at %v: known is %v, want %v", i, s.at, b.Known(), s.known)
				}
			}
		})
	}
}

func TestBootstrap_RemembersThatItWasTold(t *testing.T) {
	var b Bootstrap
	if b.Observe(time.Unix(1e9, 0), false); b.Told() || b.Known() {
		t.Error("it was told nothing yet")
	}
	if b.Expect(time.Unix(1e9, 0), 3, 0); !b.Told() || b.Known() {
		t.Error("it was told, and nobody was met")
	}
}
