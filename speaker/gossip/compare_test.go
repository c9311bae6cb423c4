package gossip

import (
	"testing"
	"time"
)

// At rest nothing is exchanged but from time to time, and what differs is exchanged at the next turn, whatever did not bring it.
func TestExchangeByTurns_OnlyWhatDiffersIsExchanged(t *testing.T) {
	timing := patient()
	timing.PushPullInterval = 50 * ms
	on := newNetwork()
	all := gather(t, on, "127.5.4.", timing, "a", "b", "c")
	for _, s := range all {
		s.BroadcastState(State{Known: true})
	}
	for _, s := range all {
		s.awaits(t, "all states", func(v View) bool {
			return v.Peers["a"].StateKnown && v.Peers["b"].StateKnown && v.Peers["c"].StateKnown
		})
	}
	a, b := all[0], all[1]
	eventually(t, "they know the same", func() bool { return a.sum() == b.sum() && b.sum() == all[2].sum() })
	to, _, _ := a.peers.addressOf("b")
	if !a.knowsTheSame(t.Context(), to) {
		t.Error("all would be exchanged, though both know the same")
	}
	// What is noted behind the back of everybody, as if all that told of it was lost.
	claims := a.claims("192.0.2.1")
	a.Membership.claims.merge(time.Now(), claims)
	if a.knowsTheSame(t.Context(), to) {
		t.Error("b is said to know the claim")
	}
	b.awaits(t, "the claim", has(claims))
	a.peers.setOwnState(State{Known: true, PassesOn: true})
	b.awaits(t, "the state", func(v View) bool { return v.Peers["a"].State.PassesOn })
}

// One of an earlier build does not answer, so all is exchanged with it, as before.
func TestKnowsTheSame_AnEarlierBuildDoesNotAnswer(t *testing.T) {
	timing := withoutExchanges()
	a := beginWith(t, Config{Node: "a", Bind: gossipAt("127.5.5.1"), Keys: secrets("k"), Timing: timing}, nil)
	b := beginWith(t, Config{Node: "b", Bind: gossipAt("127.5.5.2"), Keys: secrets("k"), Timing: timing}, nil)
	meet(t, a, b)
	a.awaits(t, "both", alive("a", "b"))
	heartbeats(t, a, b)
	b.leaving.Store(true) // It answers no question.
	to, _, _ := a.peers.addressOf("b")
	if a.knowsTheSame(t.Context(), to) {
		t.Error("who does not answer is said to know the same")
	}
	b.leaving.Store(false)
}

func TestExchangeInterval_GrowsAsMemberlistsDoes(t *testing.T) {
	for _, each := range []struct{ speakers, times int }{{0, 1}, {1, 1}, {32, 1}, {33, 2}, {64, 2}, {65, 3}, {1000, 6}, {1024, 6}, {1025, 7}} {
		if got := exchangeInterval(time.Second, each.speakers); got != time.Duration(each.times)*time.Second {
			t.Errorf("with %d speakers it is %v, not %d s", each.speakers, got, each.times)
		}
	}
}
