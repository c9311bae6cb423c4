package gossip

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

// gather starts speakers on a network, each on an address of its own below a prefix, and lets them meet.
func gather(t testing.TB, on *network, prefix string, timing Timing, nodes ...string) []*speaker {
	t.Helper()
	all := make([]*speaker, 0, len(nodes))
	for i, node := range nodes {
		addr := fmt.Sprint(prefix, i+1)
		all = append(all, beginWith(t, Config{Node: node, Bind: gossipAt(addr), Keys: secrets("k"), Timing: timing}, on))
	}
	meet(t, all...)
	for _, s := range all {
		s.awaits(t, "all", alive(nodes...))
	}
	heartbeats(t, all...)
	return all
}

func (s *speaker) claims(addrs ...string) []election.Claim {
	var all []election.Claim
	for _, addr := range addrs {
		all = append(all, election.Claim{Addr: netip.MustParseAddr(addr), Node: s.cfg.Node, Incarnation: s.Incarnation(), Term: 1})
	}
	return all
}

func has(claims []election.Claim) func(View) bool {
	return func(v View) bool {
		return !slices.ContainsFunc(claims, func(c election.Claim) bool { return v.Claims[c.Addr] != c })
	}
}

func TestClaims_ReachAllAtOnceAndLateComersToo(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.0.", withoutExchanges(), "a", "b", "c")
	claims := all[0].claims("192.0.2.1", "2001:db8::1")
	all[0].BroadcastClaims(claims)
	for _, s := range all {
		s.awaits(t, "the claims", has(claims))
	}
	late := beginWith(t, Config{Node: "d", Bind: gossipAt("127.1.0.9"), Keys: secrets("k")}, on)
	meet(t, append(all, late)...)
	late.awaits(t, "the claims", has(claims))
}

// Who does not hear the claimer hears of the claim from those who do.
func TestClaims_GetAroundACut(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.1.", withoutExchanges(), "a", "b", "c")
	on.part(all[0], all[1])
	claims := all[0].claims("192.0.2.1")
	all[0].BroadcastClaims(claims)
	t.Logf("around a cut in %v", all[1].awaits(t, "the claim", has(claims)))
}

// By whoever knows the stronger claim.
func TestClaims_OneWhoClaimsWhatIsHeldIsToldAtOnce(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.2.", withoutExchanges(), "a", "b")
	a, b := all[0], all[1]
	want := map[netip.Addr]struct{}{netip.MustParseAddr("192.0.2.1"): {}}
	a.SetWanted(want)
	b.SetWanted(want)
	strong := a.claims("192.0.2.1")
	strong[0].Term = 7
	a.mergeClaims(time.Now(), strong, traceapi.Out) // Without telling b.
	b.BroadcastClaims(b.claims("192.0.2.1"))
	b.awaits(t, "the stronger claim", has(strong))
}

func TestClaims_AThousandReachFiveSpeakers(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.3.", withoutExchanges(), "a", "b", "c", "d", "e")
	claims := manyClaims(1000)
	for i := range claims {
		claims[i].Node, claims[i].Incarnation = "a", all[0].Incarnation()
	}
	before := on.sentBy(all[0])
	begin := time.Now()
	all[0].BroadcastClaims(claims)
	for _, s := range all {
		s.awaits(t, "all claims", has(claims))
	}
	t.Logf("1000 claims reached 5 speakers in %v", time.Since(begin))
	// 4 others × 11 datagrams, and some 200 in a second of what else goes on.
	if n := on.sentBy(all[0]) - before; n > 100+int(500*time.Since(begin).Seconds()) {
		t.Errorf("it took %d datagrams", n)
	}
	if n := all[0].broadcasts.NumQueued(); n > maxQueued {
		t.Errorf("%d messages wait to be retransmitted", n)
	}
}

func TestStates_ReachAll(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.4.", withoutExchanges(), "a", "b", "c")
	says := func(of *speaker, want State) func(View) bool {
		return func(v View) bool {
			p := v.Peers[of.cfg.Node]
			return p.StateKnown && p.Incarnation == of.Incarnation() && slices.EqualFunc([]State{p.State}, []State{want}, equal)
		}
	}
	for _, state := range []State{manyLinks(2), {Leaving: true}, manyLinks(300), {Known: true}} {
		all[0].BroadcastState(state)
		for _, s := range all {
			s.awaits(t, "the state", says(all[0], state))
		}
	}
	// What has not changed is not sent again.
	before, _ := all[0].peers.ownState()
	all[0].BroadcastState(State{Known: true})
	if after, _ := all[0].peers.ownState(); after.seq != before.seq {
		t.Error("what has not changed is sent again")
	}
	// One that comes later receives what was sent before, long or short.
	all[1].BroadcastState(manyLinks(300))
	late := beginWith(t, Config{Node: "d", Bind: gossipAt("127.1.4.9"), Keys: secrets("k")}, on)
	meet(t, append(all, late)...)
	late.awaits(t, "the state of a", says(all[0], State{Known: true}))
	late.awaits(t, "the state of b", says(all[1], manyLinks(300)))
	// The next run of a node has not said anything yet.
	all[0].crash(t)
	again := beginWith(t, Config{Node: "a", Bind: all[0].at, Keys: secrets("k")}, on)
	again.Set(map[string]ExpectedPeer{"b": {Address: all[1].at}})
	all[1].awaits(t, "the next run", func(v View) bool { return v.Peers["a"].Incarnation == again.Incarnation() })
	if all[1].View().Peers["a"].StateKnown {
		t.Error("the state of the run before is kept")
	}
}

// By whatever way it comes.
func TestStates_AnOlderNeverReplacesANewer(t *testing.T) {
	m := New(Config{Node: "self"})
	m.peers.setListed(begins, "a", listing{incarnation: 5, at: gossipAt("127.0.0.1")}, true)
	for _, step := range []struct {
		incarnation, seq uint64
		state            State
		taken            bool
	}{
		{5, 2, State{Known: true}, true},
		{5, 1, State{}, false},
		{5, 2, State{}, false},
		{4, 9, State{}, false},
		{5, 3, State{Leaving: true}, true},
		{6, 1, State{Known: true}, true},
		{5, 4, State{}, false},
	} {
		is, ok := m.peers.mergeState(begins, record("a", step.incarnation, step.seq, step.state))
		if (is != noNews) != step.taken || !ok {
			t.Errorf("%+v: its news are %v", step, is)
		}
		if p := m.View().Peers["a"]; step.taken && (!equal(p.State, step.state) || p.Incarnation != step.incarnation) {
			t.Errorf("%+v: it is now %+v", step, p)
		}
	}
	if _, ok := m.peers.mergeState(begins, stateRecord{node: "a", incarnation: 6, seq: 2, body: []byte{255}}); ok {
		t.Error("an invalid state is not refused")
	}
}

func equal(a, b State) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// However quick it was.
func TestIncarnation_ARestartIsANewOneAtOnce(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.12.", patient(), "a", "b")
	a, before := all[0], all[1]
	before.crash(t)
	b := beginWith(t, Config{Node: "b", Bind: before.at, Keys: secrets("k")}, on)
	meet(t, a, b)
	took := a.awaits(t, "the next run of b", func(v View) bool { return v.Peers["b"].Incarnation == b.Incarnation() })
	t.Logf("after %v", took)
	if b.Incarnation() <= before.Incarnation() || a.View().Returned > 0 {
		t.Errorf("incarnations %d and %d, %d returned", before.Incarnation(), b.Incarnation(), a.View().Returned)
	}
}

func TestIncarnation_RisesAgainstASetBackClock(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.13.", Timing{}, "a", "b")
	b := all[1]
	future := election.Claim{Addr: netip.MustParseAddr("192.0.2.1"), Node: "b", Incarnation: b.Incarnation() + 1e9, Term: 1}
	all[0].BroadcastClaims([]election.Claim{future})
	b.awaits(t, "it has heard of itself", func(v View) bool { return v.Peers["b"].Incarnation > future.Incarnation })
	incarnation := b.Incarnation()
	all[0].awaits(t, "it is known by its new incarnation", func(v View) bool { return v.Peers["b"].Incarnation == incarnation })
	b.BroadcastClaims([]election.Claim{{Addr: future.Addr, Node: "b", Incarnation: math.MaxUint64, Term: 1}})
	if b.Incarnation() != incarnation {
		t.Error("there is no later incarnation left")
	}
}

// The leaver is not taken for alive because it was heard a moment ago.
func TestMembership_LeavingIsKnownAtOnce(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.14.", patient(), "a", "b", "c")
	all[2].end()
	t.Logf("after %v", all[0].awaits(t, "c has left", alive("a", "b")))
	if !all[0].status("c").Left {
		t.Error("c is missed, and has not said that it leaves")
	}
	if v := all[0].View(); v.Returned > 0 {
		t.Errorf("the view is %+v", v)
	}
}

// And they change nothing.
func TestMetrics_RejectedAndMalformedMessagesAreCounted(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.15.", Timing{}, "a", "b")
	a, b := all[0], all[1]
	conn, err := net.Dial("udp", a.at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := testutil.ToFloat64(a.metrics.rejected)
	to, _, _ := b.peers.addressOf("a")
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b.send(to, []byte("no message of ours"))
	eventually(t, "both are counted", func() bool {
		return testutil.ToFloat64(a.metrics.rejected) > before && testutil.ToFloat64(a.metrics.malformed) == 1
	})
	if v := a.View(); len(v.Alive) != 2 || len(v.Claims) > 0 {
		t.Errorf("the view is %+v", v)
	}
}

// Each exists, is complete, and works.
func TestPreset_Works(t *testing.T) {
	for i, name := range []string{"fast", "lan", "wan"} {
		timing, ok := Preset(name, true)
		if !ok || timing.ProbeTimeout >= timing.ProbeInterval || timing.HeartbeatInterval == 0 || timing.HeartbeatMultiplier < 4 {
			t.Errorf("%s: %+v", name, timing)
		}
		for _, heartbeats := range []bool{true, false} { // With a fence below 0 it would be stale for ever, and answer for nothing.
			if timing, _ := Preset(name, heartbeats); timing.detection().FenceTime() < 50*time.Millisecond {
				t.Errorf("%s, heartbeats %t: the fence is %v", name, heartbeats, timing.detection().FenceTime())
			}
		}
		all := gather(t, newNetwork(), fmt.Sprintf("127.1.%d.", 20+i), timing, "a", "b")
		claims := all[0].claims("192.0.2.1")
		all[0].BroadcastClaims(claims)
		all[1].awaits(t, "the claim", has(claims))
	}
	if _, ok := Preset("slow", true); ok {
		t.Error("there is a preset of any name")
	}
}

func TestHeartbeats_CanBeOff(t *testing.T) {
	timing, _ := Preset("fast", false)
	on := newNetwork()
	var all []*speaker
	for i, node := range []string{"a", "b"} {
		all = append(all, beginWith(t, Config{Node: node, Bind: gossipAt(fmt.Sprint("127.1.30.", i+1)), Keys: secrets("k"), Timing: timing}, on))
	}
	meet(t, all...)
	a, b := all[0], all[1]
	a.awaits(t, "both", alive("a", "b"))
	b.awaits(t, "both", alive("a", "b"))
	// A pause is detected without them.
	eventually(t, "it ticks", func() bool { return a.switches.ticked.Load() })
	claims := b.claims("192.0.2.1")
	a.switches.set(true)
	b.BroadcastClaims(claims)
	eventually(t, "it is stopped", a.Stale)
	a.switches.set(false)
	eventually(t, "it is not stale any more", func() bool { return !a.Stale() })
	if !a.answered() {
		t.Error("it was stale as if nobody had answered")
	}
	if !has(claims)(a.View()) {
		t.Error("it does not know what it has missed")
	}
	b.crash(t)
	if took := a.awaits(t, "b is dead", alive("a")); took < 300*time.Millisecond {
		t.Errorf("it took %v: as if there were heartbeats", took)
	}
}
