package detector

import (
	"testing"
	"time"
)

func TestPause_IsStaleUntil(t *testing.T) {
	type step struct {
		at time.Duration
		// what happens: "tick", "alone" (a tick without peers), "claims", "new claims", "pong", or nothing.
		what string
		// of the ping of this number, and announcing so many messages.
		ping, announced uint64
		stale           bool
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
		{"without a tick it is stale before the next", []step{{wake, "", 0, 0, true}}},
		{"without others a tick ends it", []step{{wake, "alone", 3, 0, false}, {wake + ms, "", 0, 0, false}}},
		{"a pong that announces nothing ends it", []step{
			{wake, "tick", 3, 0, true}, {wake + ms, "pong", 3, 0, false}, {wake + 2*ms, "tick", 4, 0, false},
		}},
		{"a pong to a ping before the stop does not", []step{{wake, "tick", 3, 0, true}, {wake + ms, "pong", 2, 0, true}}},
		{"what is announced must have come", []step{
			{wake, "tick", 3, 0, true}, {wake + ms, "claims", 3, 0, true}, {wake + 2*ms, "pong", 3, 2, true}, {wake + 3*ms, "claims", 3, 0, false},
		}},
		{"if it was new there is time to act on it", []step{
			{wake, "tick", 3, 0, true},
			{wake + ms, "new claims", 3, 0, true},
			{wake + 2*ms, "pong", 3, 1, true},
			{wake + 51*ms, "", 0, 0, true},
			{wake + 52*ms, "", 0, 0, false},
		}},
		{"also if it came before it was asked for", []step{
			{wake, "tick", 3, 0, true}, {wake + ms, "new claims", 0, 0, true}, {wake + 2*ms, "pong", 3, 0, true}, {wake + 52*ms, "", 0, 0, false},
		}},
		{"what was lost is asked for again", []step{
			{wake, "tick", 3, 0, true},
			{wake + ms, "pong", 3, 2, true},
			{wake + 50*ms, "tick", 4, 0, true},
			{wake + 51*ms, "claims", 4, 0, true},
			{wake + 51*ms, "claims", 4, 0, true},
			{wake + 52*ms, "pong", 4, 2, false},
		}},
		{"without an answer it ends after half a second", []step{
			{wake, "tick", 3, 0, true},
			{wake + 200*ms, "tick", 4, 0, true},
			{wake + 400*ms, "tick", 5, 0, true},
			{wake + 499*ms, "", 0, 0, true},
			{wake + 500*ms, "", 0, 0, false},
		}},
		{"stopped again it starts again", []step{
			{wake, "tick", 3, 0, true},
			{wake + ms, "pong", 3, 0, false},
			{2 * wake, "", 0, 0, true},
			{2 * wake, "tick", 4, 0, true},
			{2*wake + ms, "pong", 3, 0, true},
			{2*wake + ms, "pong", 4, 0, false},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := NewPause(50 * ms)
			if p.Staleness().Stale(time.Hour) {
				t.Error("it is stale before it starts")
			}
			for i, s := range append(append([]step{}, begin...), test.steps...) {
				at := time.Minute + s.at
				switch s.what {
				case "tick", "alone":
					gap := at - p.staleness.lastTick
					if p.staleness.lastTick == 0 {
						gap = 0
					}
					missed := p.Tick(at, gap, s.ping, s.what == "tick")
					if asks := missed > 0; asks != s.stale {
						t.Errorf("step %d: it asks for %v", i, missed)
					}
				case "claims", "new claims":
					if s.what == "new claims" {
						p.Learned(at)
					}
					p.ClaimsReceived(at, "b", s.ping)
				case "pong":
					p.PongReceived(at, "b", s.ping, s.announced)
				}
				if got := p.Staleness().Stale(at); got != s.stale {
					t.Errorf("step %d, at %v: stale is %v", i, s.at, got)
				}
			}
			p.Stop()
			if p.Staleness().Stale(time.Hour) {
				t.Error("it is stale after its end")
			}
		})
	}
}

func TestPause_RepliesAreBounded(t *testing.T) {
	p := NewPause(50 * ms)
	p.Tick(time.Minute, 0, 1, true)
	p.Tick(2*time.Minute, time.Minute, 2, true)
	for seq := range uint64(2 * maxReplies) {
		p.ClaimsReceived(2*time.Minute+ms, "b", seq+2)
	}
	if len(p.replies) > maxReplies {
		t.Errorf("%d are kept", len(p.replies))
	}
}

func TestPause_LastSaysWhetherAPeerAnswered(t *testing.T) {
	const wake = 2 * time.Minute
	for _, test := range []struct {
		name     string
		happens  func(*Pause)
		woke     time.Duration
		answered bool
	}{
		{"never stopped", func(*Pause) {}, 0, false},
		{"nobody to ask", func(p *Pause) { p.Tick(wake, time.Minute, 2, false) }, 0, false},
		{"no answer", func(p *Pause) {
			p.Tick(wake, time.Minute, 2, true)
			p.Tick(wake+maxStale, 50*ms, 3, true)
		}, wake, false},
		{"an answer", func(p *Pause) {
			p.Tick(wake, time.Minute, 2, true)
			p.PongReceived(wake+ms, "b", 2, 0)
		}, wake, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := NewPause(50 * ms)
			p.Tick(time.Minute, 0, 1, true)
			test.happens(p)
			if woke, answered := p.Last(); woke != test.woke || answered != test.answered {
				t.Errorf("woke at %v, answered is %v", woke, answered)
			}
		})
	}
}

// Whoever waits for ticks at longer intervals is not taken for stopped between two of them.
func TestPause_ToleratesTheTickInterval(t *testing.T) {
	for _, test := range []struct{ interval, limit time.Duration }{{10 * ms, 250 * ms}, {50 * ms, 250 * ms}, {time.Second, 4 * time.Second}} {
		p := NewPause(test.interval)
		p.Tick(time.Minute, 0, 1, true)
		if p.Staleness().Stale(time.Minute+test.limit) || !p.Staleness().Stale(time.Minute+test.limit+ms) {
			t.Errorf("ticks every %v: not stale from %v on", test.interval, test.limit)
		}
	}
}

func TestPause_OtherEvidenceOfAStop(t *testing.T) {
	p := NewPause(50 * ms)
	now := time.Minute
	p.Tick(now, 0, 1, true)
	if !p.Woke(now, 60*ms, 2, true) || !p.Staleness().Stale(now) {
		t.Fatal("others have missed it, and it is not stale")
	}
	if p.Woke(now+ms, 60*ms, 3, false) {
		t.Error("it wakes though it is stale")
	}
	if missed := p.Tick(now+ms, ms, 2, true); missed != 61*ms {
		t.Errorf("it asks about %v", missed)
	}
	p.PongReceived(now+2*ms, "b", 2, 0)
	if p.Staleness().Stale(now + 2*ms) {
		t.Error("the answer does not end it")
	}
	p.Tick(now+time.Second, 50*ms, 8, true)
	if p.Woke(now+time.Second, 60*ms, 9, true) || p.Staleness().Stale(now+time.Second) {
		t.Error("one that never hears it silences it again and again")
	}
	if !p.Woke(now+time.Second, 60*ms, 9, false) {
		t.Error("what it sees itself counts always")
	}
}
