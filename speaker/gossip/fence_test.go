package gossip

import (
	"testing"
	"time"
)

func TestFence(t *testing.T) {
	type step struct {
		at time.Duration
		// what happens: "tick", "alone" (a tick without others), "merge", "news" (a merge), "pong", or nothing.
		what string
		// of the ping of this number, and owing so many messages.
		seq, owed uint64
		doubtful  bool
	}
	const wake = 3 * time.Second
	begin := []step{{0, "tick", 1, 0, false}, {50 * ms, "tick", 2, 0, false}}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"a late tick of a busy machine is no wake", []step{
			{299 * ms, "", 0, 0, false}, {299 * ms, "tick", 3, 0, false}, {310 * ms, "", 0, 0, false},
		}},
		{"one that does not tick is in doubt before it ticks", []step{{wake, "", 0, 0, true}}},
		{"without others a tick ends it", []step{{wake, "alone", 3, 0, false}, {wake + ms, "", 0, 0, false}}},
		{"a pong that owes nothing ends it", []step{
			{wake, "tick", 3, 0, true}, {wake + ms, "pong", 3, 0, false}, {wake + 2*ms, "tick", 4, 0, false},
		}},
		{"a pong to a ping before the stop does not", []step{{wake, "tick", 3, 0, true}, {wake + ms, "pong", 2, 0, true}}},
		{"what is owed must have come", []step{
			{wake, "tick", 3, 0, true}, {wake + ms, "merge", 3, 0, true}, {wake + 2*ms, "pong", 3, 2, true}, {wake + 3*ms, "merge", 3, 0, false},
		}},
		{"if it was news there is time to act on it", []step{
			{wake, "tick", 3, 0, true},
			{wake + ms, "news", 3, 0, true},
			{wake + 2*ms, "pong", 3, 1, true},
			{wake + 51*ms, "", 0, 0, true},
			{wake + 52*ms, "", 0, 0, false},
		}},
		{"and so if it came before it was asked for", []step{
			{wake, "tick", 3, 0, true}, {wake + ms, "news", 0, 0, true}, {wake + 2*ms, "pong", 3, 0, true}, {wake + 52*ms, "", 0, 0, false},
		}},
		{"what was lost is asked for again", []step{
			{wake, "tick", 3, 0, true},
			{wake + ms, "pong", 3, 2, true},
			{wake + 50*ms, "tick", 4, 0, true},
			{wake + 51*ms, "merge", 4, 0, true},
			{wake + 51*ms, "merge", 4, 0, true},
			{wake + 52*ms, "pong", 4, 2, false},
		}},
		{"without an answer it ends after half a second", []step{
			{wake, "tick", 3, 0, true},
			{wake + 200*ms, "tick", 4, 0, true},
			{wake + 400*ms, "tick", 5, 0, true},
			{wake + 499*ms, "", 0, 0, true},
			{wake + 500*ms, "", 0, 0, false},
		}},
		{"stopped again it begins anew", []step{
			{wake, "tick", 3, 0, true},
			{wake + ms, "pong", 3, 0, false},
			{2 * wake, "", 0, 0, true},
			{2 * wake, "tick", 4, 0, true},
			{2*wake + ms, "pong", 3, 0, true},
			{2*wake + ms, "pong", 4, 0, false},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFence(50 * ms)
			if f.doubtful(time.Hour) {
				t.Error("it is in doubt before it begins")
			}
			for i, s := range append(append([]step{}, begin...), test.steps...) {
				at := time.Minute + s.at
				switch s.what {
				case "tick", "alone":
					gap := at - time.Duration(f.ticked.Load())
					if f.ticked.Load() == 0 {
						gap = 0
					}
					missed := f.tick(at, gap, s.seq, s.what == "tick")
					if asks := missed > 0; asks != s.doubtful {
						t.Errorf("step %d: it asks for %v", i, missed)
					}
				case "merge", "news":
					if s.what == "news" {
						f.learn(at)
					}
					f.merge(at, "b", s.seq)
				case "pong":
					f.pong(at, "b", s.seq, s.owed)
				}
				if got := f.doubtful(at); got != s.doubtful {
					t.Errorf("step %d, at %v: doubtful is %v", i, s.at, got)
				}
			}
			f.stop()
			if f.doubtful(time.Hour) {
				t.Error("it is in doubt after its end")
			}
		})
	}
}

func TestTheFenceForgetsAnswersOfStrangers(t *testing.T) {
	f := newFence(50 * ms)
	f.tick(time.Minute, 0, 1, true)
	f.tick(2*time.Minute, time.Minute, 2, true)
	for seq := range uint64(2 * mostOwed) {
		f.merge(2*time.Minute+ms, "b", seq+2)
	}
	if len(f.answers) > mostOwed {
		t.Errorf("%d are kept", len(f.answers))
	}
}

func BenchmarkDoubtful(b *testing.B) {
	m := New(Config{Node: "a"})
	m.fence.tick(time.Second, 0, 1, true)
	for b.Loop() {
		m.Stale()
	}
}
