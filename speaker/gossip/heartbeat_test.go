package gossip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestHeartbeats_FindASilentDeath(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.5.", withSlowProbes(), "a", "b", "c")
	all[2].crash(t)
	took := all[0].awaits(t, "c is dead", alive("a", "b"))
	t.Logf("after %v", took)
	// memberlist has not given it up: it was the heartbeats.
	if v := all[0].View(); !slices.Contains(all[0].peers.listed(), "c") || v.Peers["c"].Incarnation != 0 {
		t.Errorf("the view is %+v", v)
	}
	all[0].awaits(t, "memberlist gives it up", func(View) bool { return !slices.Contains(all[0].peers.listed(), "c") })
	if v := all[0].View(); len(v.Alive) != 2 {
		t.Errorf("the view is %+v", v)
	}
}

// A speaker that starts while another one is silent must be able to ask that one on the segment.
func TestView_SilentSpeakersAreKnownToLateComersToo(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.19.", Timing{}, "a", "b", "c")
	want := manyLinks(2)
	all[2].BroadcastState(want)
	all[0].awaits(t, "the state of c", func(v View) bool { return v.Peers["c"].StateKnown })
	incarnation := all[2].Incarnation()
	knowsC := func(v View) bool {
		c, known := v.Silent["c"]
		return known && c.Incarnation == incarnation && equal(c.State, want)
	}
	if knowsC(all[0].View()) {
		t.Error("c is silent while it is alive")
	}
	heartbeats(t, all...)
	on.part(all[2], all[0], all[1])
	all[0].awaits(t, "c is silent", knowsC)
	if heard := all[0].View().Silent["c"].LastHeard; time.Since(heard) > time.Minute {
		t.Errorf("it was last heard at %v", heard)
	}
	late := beginWith(t, Config{Node: "d", Bind: gossipAt("127.1.19.9"), Keys: secrets("k")}, on)
	on.part(all[2], late)
	meet(t, append(all, late)...)
	late.awaits(t, "c is silent", knowsC)
	if heard := late.View().Silent["c"].LastHeard; !heard.IsZero() {
		t.Errorf("who never heard it says that it did, at %v", heard)
	}
	on.heal()
	late.awaits(t, "c is alive", func(v View) bool { return alive("a", "b", "c", "d")(v) && len(v.Silent) == 0 })
	all[0].awaits(t, "c is alive", func(v View) bool { return alive("a", "b", "c", "d")(v) && len(v.Silent) == 0 })
	heartbeats(t, all...)
	all[2].leave(t)
	all[0].awaits(t, "c has left", alive("a", "b", "d"))
	if v := all[0].View(); len(v.Silent) > 0 {
		t.Errorf("silent are %v, and c has left", v.Silent)
	}
}

func TestHeartbeats_ACutBetweenTwoIsNoDeath(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.6.", patient(), "a", "b", "c")
	on.part(all[0], all[1])
	// Long enough for a to be sure of it, and to be told otherwise.
	since := time.Now()
	eventually(t, "a suspects b for some time", func() bool {
		if b := all[0].status("b"); !b.Suspected {
			since = time.Now()
		}
		return time.Since(since) > 3*patient().detection().DetectionTime()
	})
	for _, s := range all {
		if v := s.View(); len(v.Alive) != 3 || v.Returned > 0 {
			t.Errorf("%s sees %v, %d returned", s.cfg.Node, v.Alive, v.Returned)
		}
	}
}

// When it ends, each side learns at once what the other has claimed meanwhile.
func TestHeartbeats_BothSidesFindAPartitionAndItsEnd(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.7.", withoutExchanges(), "a", "b", "c")
	for _, s := range all {
		s.Set(nil) // Whoever was there once is looked for.
	}
	on.part(all[0], all[1:]...)
	all[0].awaits(t, "a is alone", alive("a"))
	all[1].awaits(t, "a is away", alive("b", "c"))
	all[2].awaits(t, "a is away", alive("b", "c"))
	eventually(t, "memberlist has given them up", func() bool {
		return len(all[0].peers.listed()) == 1 && len(all[1].peers.listed()) == 2
	})
	one, other := all[0].claims("192.0.2.1"), all[1].claims("192.0.2.2")
	all[0].BroadcastClaims(one)
	all[1].BroadcastClaims(other)
	on.heal()
	begin := time.Now()
	all[0].awaits(t, "the other side", func(v View) bool { return alive("a", "b", "c")(v) && has(other)(v) && v.Returned >= 2 })
	all[1].awaits(t, "the other side", func(v View) bool { return alive("a", "b", "c")(v) && has(one)(v) && v.Returned >= 1 })
	t.Logf("healed after %v", time.Since(begin))
	eventually(t, "memberlist takes them back", func() bool { return len(all[0].peers.listed()) == 3 && len(all[2].peers.listed()) == 3 })
}

// A partition that is over before memberlist has noticed: whatever message comes through first, a vote as likely as a ping,
// what the other side has claimed meanwhile comes with it.
func TestMembership_AShortPartitionLosesNoClaims(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.29.", withoutExchanges(), "a", "b")
	a, b := all[0], all[1]
	for i := range 5 {
		on.part(a, b)
		a.awaits(t, "a is alone", alive("a"))
		b.awaits(t, "b is alone", alive("b"))
		one, other := a.claims(fmt.Sprintf("192.0.2.%d", 10+i)), b.claims(fmt.Sprintf("192.0.2.%d", 20+i))
		a.BroadcastClaims(one)
		b.BroadcastClaims(other)
		eventually(t, "what gossip repeats has been lost", func() bool { return a.broadcasts.NumQueued()+b.broadcasts.NumQueued() == 0 })
		on.heal()
		a.awaits(t, "what b has claimed", has(other))
		b.awaits(t, "what a has claimed", has(one))
	}
}

func TestStale_UntilItKnowsWhatItHasMissed(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.8.", Timing{}, "a", "b", "c")
	a, b := all[0], all[1]
	own := a.claims("192.0.2.1")
	a.BroadcastClaims(own)
	b.awaits(t, "the claim", has(own))
	eventually(t, "it is not stale before", func() bool { return !a.Stale() })
	a.switches.set(true)
	b.awaits(t, "a is silent", alive("b", "c"))
	on.part(a, b, all[2]) // What comes to a stopped process may be more than its socket keeps.
	heir := b.claims("192.0.2.1")
	heir[0].Term = 2
	b.BroadcastClaims(heir)
	eventually(t, "the others repeat it no more", func() bool { return b.broadcasts.NumQueued()+all[2].broadcasts.NumQueued() == 0 })
	on.heal()
	eventually(t, "it is stale as long as it is stopped", a.Stale)
	eventually(t, "memberlist gives it up", func() bool { return len(b.peers.listed()) == 2 })

	a.switches.set(false)
	took := eventually(t, "it is not stale any more", func() bool { return !a.Stale() })
	t.Logf("stale for %v", took)
	if !has(heir)(a.View()) {
		t.Error("it is not stale, and does not know that it was replaced")
	}
	if !a.answered() {
		t.Error("it was stale as if nobody had answered")
	}
	for _, s := range all {
		s.awaits(t, "all are back", alive("a", "b", "c"))
	}
}

// A stop that is hardly long enough for the others to take its place is enough to make it ask: they come to their verdict after
// 66 ms at the earliest.
func TestStale_AfterAShortStop(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.30.", Timing{}, "a", "b", "c")
	a, b := all[0], all[1]
	a.switches.set(true)
	b.awaits(t, "a is silent", alive("b", "c"))
	a.switches.set(false)
	eventually(t, "it asks what it has missed, and is told", a.answered)
	b.awaits(t, "a is back", alive("a", "b", "c"))
	eventually(t, "it is not stale any more", func() bool { return !a.Stale() })
}

// A virtual machine that is stopped from outside may see no time pass: only the others know.
func TestStale_WhenOthersHaveMissedIt(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.31.", Timing{}, "a", "b", "c")
	a := all[0]
	on.part(a, all[1:]...) // Nothing waits in its socket.
	a.switches.set(true)
	for _, s := range all[1:] {
		s.awaits(t, "a is silent", alive("b", "c"))
	}
	on.heal()
	a.switches.set(false)
	eventually(t, "it asks what it has missed, and is told", a.answered)
}

// answered reports whether an answer ended the time in which the speaker was last stale.
func (s *speaker) answered() bool {
	s.pause.mu.Lock()
	defer s.pause.mu.Unlock()
	_, answered := s.pause.pause.Last()
	return answered
}

func TestStale_NotWhenAlone(t *testing.T) {
	on := newNetwork()
	a := beginWith(t, Config{Node: "a", Bind: gossipAt("127.1.9.1"), Keys: secrets("k")}, on)
	eventually(t, "it ticks", func() bool { return a.switches.ticked.Load() })
	a.switches.set(true)
	eventually(t, "it is stopped", a.Stale)
	a.switches.set(false)
	eventually(t, "it knows that there is nobody to ask", func() bool { return !a.Stale() })
	a.pause.mu.Lock()
	defer a.pause.mu.Unlock()
	if woke, _ := a.pause.pause.Last(); woke != 0 {
		t.Error("it has asked")
	}
}

func TestHeartbeats_AStarvedSpeakerSuspectsNobody(t *testing.T) {
	on := newNetwork()
	timing := patient() // and memberlist more so: its clocks do not stop
	timing.ProbeInterval, timing.ProbeTimeout = time.Second, 500*ms
	all := gather(t, on, "127.1.10.", timing, "a", "b")
	a := all[0]
	for range 3 {
		a.switches.set(true)
		eventually(t, "it has missed ticks", a.Stale)
		a.switches.set(false)
		eventually(t, "it ticks", func() bool { return !a.Stale() })
	}
	if v := a.View(); v.Returned > 0 || len(v.Alive) != 2 {
		t.Errorf("it has taken b for dead: %+v", v)
	}
}

func TestHeartbeats_FalseAlarmsAreDamped(t *testing.T) {
	on := newNetwork()
	registry := prometheus.NewPedanticRegistry()
	a := beginWith(t, Config{Node: "a", Bind: gossipAt("127.1.11.1"), Keys: secrets("k"), Registerer: registry}, on)
	b := beginWith(t, Config{Node: "b", Bind: gossipAt("127.1.11.2"), Keys: secrets("k")}, on)
	meet(t, a, b)
	a.awaits(t, "both", alive("a", "b"))
	heartbeats(t, a, b)
	var took time.Duration
	// One that stays away longer, because the machine is busy, is no false alarm.
	for a.peers.counters().FalseAlarms < 4 {
		on.part(a, b)
		a.awaits(t, "b is away", alive("a"))
		took = time.Since(a.status("b").LastHeard)
		on.heal()
		a.awaits(t, "b is back", alive("a", "b"))
		heartbeats(t, a, b)
	}
	if least := 4 * a.cfg.Timing.detection().FenceTime(); took < least {
		t.Errorf("the fourth alarm came after %v, as soon as the first", took)
	}
	eventually(t, "the metrics are as it is", func() bool {
		want := fmt.Sprintf(`
			# HELP daymark_gossip_false_alarms_total Speakers that were taken for silent and came back.
			# TYPE daymark_gossip_false_alarms_total counter
			daymark_gossip_false_alarms_total %d
			# HELP daymark_gossip_members_alive Speakers that are alive, this one included.
			# TYPE daymark_gossip_members_alive gauge
			daymark_gossip_members_alive 2
		`, a.peers.counters().FalseAlarms)
		return testutil.GatherAndCompare(registry, strings.NewReader(want),
			"daymark_gossip_false_alarms_total", "daymark_gossip_members_alive") == nil
	})
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
