package members

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/speaker/election"
)

// soon is before complete exchanges would bring what was lost, which come every 5 s, and long on a busy machine.
const soon = 3 * time.Second

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
		all = append(all, election.Claim{Addr: netip.MustParseAddr(addr), Node: s.cfg.Node, Instance: s.Instance(), Term: 1})
	}
	return all
}

func has(claims []election.Claim) func(View) bool {
	return func(v View) bool {
		return !slices.ContainsFunc(claims, func(c election.Claim) bool { return v.Claims[c.Addr] != c })
	}
}

func TestClaimsReachAllAtOnceAndLateComersToo(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.0.", Timing{}, "a", "b", "c")
	claims := all[0].claims("192.0.2.1", "2001:db8::1")
	all[0].Claim(claims)
	for _, s := range all {
		if took := s.awaits(t, "the claims", has(claims)); took > soon {
			t.Errorf("it took %v", took)
		}
	}
	late := beginWith(t, Config{Node: "d", Bind: gossipAt("127.1.0.9"), Keys: secrets("k")}, on)
	meet(t, append(all, late)...)
	late.awaits(t, "the claims", has(claims))
}

// TestClaimsGetAroundACut: who does not hear the claimer hears of it from those who do.
func TestClaimsGetAroundACut(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.1.", Timing{}, "a", "b", "c")
	on.part(all[0], all[1])
	claims := all[0].claims("192.0.2.1")
	all[0].Claim(claims)
	took := all[1].awaits(t, "the claim", has(claims))
	t.Logf("around a cut in %v", took)
	if took > soon {
		t.Errorf("it took %v", took)
	}
}

// TestOneWhoClaimsWhatIsHeldIsToldAtOnce by whoever knows better.
func TestOneWhoClaimsWhatIsHeldIsToldAtOnce(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.2.", Timing{}, "a", "b")
	a, b := all[0], all[1]
	want := map[netip.Addr]struct{}{netip.MustParseAddr("192.0.2.1"): {}}
	a.Want(want)
	b.Want(want)
	strong := a.claims("192.0.2.1")
	strong[0].Term = 7
	a.learn(time.Now(), strong) // Without a word to b.
	b.Claim(b.claims("192.0.2.1"))
	if took := b.awaits(t, "the stronger claim", has(strong)); took > soon {
		t.Errorf("it took %v", took)
	}
}

func TestAThousandClaimsReachFiveSpeakers(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.3.", Timing{}, "a", "b", "c", "d", "e")
	claims := manyClaims(1000)
	for i := range claims {
		claims[i].Node, claims[i].Instance = "a", all[0].Instance()
	}
	before := on.sentBy(all[0])
	begin := time.Now()
	all[0].Claim(claims)
	for _, s := range all {
		s.awaits(t, "all claims", has(claims))
	}
	t.Logf("1000 claims reached 5 speakers in %v", time.Since(begin))
	if took := time.Since(begin); took > soon {
		t.Errorf("it took %v", took)
	}
	// 4 others × 11 datagrams, and some 200 in a second of what else goes on.
	if n := on.sentBy(all[0]) - before; n > 100+int(500*time.Since(begin).Seconds()) {
		t.Errorf("it took %d datagrams", n)
	}
	if n := all[0].repeats.NumQueued(); n > mostRepeats {
		t.Errorf("%d messages wait to be repeated", n)
	}
}

func TestStatesReachAll(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.4.", Timing{}, "a", "b", "c")
	told := func(of *speaker, want State) func(View) bool {
		return func(v View) bool {
			p := v.Peers[of.cfg.Node]
			return p.StateKnown && p.Instance == of.Instance() && slices.EqualFunc([]State{p.State}, []State{want}, equal)
		}
	}
	for _, state := range []State{manyLinks(2), {Leaving: true}, manyLinks(300), {Known: true}} {
		all[0].Publish(state)
		for _, s := range all {
			took := s.awaits(t, "the state", told(all[0], state))
			if took > soon {
				t.Errorf("a state of %d links took %v", len(state.Links), took)
			}
		}
	}
	// Nothing new is not told again.
	before, _ := all[0].roster.told()
	all[0].Publish(State{Known: true})
	if after, _ := all[0].roster.told(); after.seq != before.seq {
		t.Error("what is not new is told again")
	}
	// One that comes later learns what was told before, long or short.
	all[1].Publish(manyLinks(300))
	late := beginWith(t, Config{Node: "d", Bind: gossipAt("127.1.4.9"), Keys: secrets("k")}, on)
	meet(t, append(all, late)...)
	late.awaits(t, "the state of a", told(all[0], State{Known: true}))
	late.awaits(t, "the state of b", told(all[1], manyLinks(300)))
	// The next run of a node has not said anything yet.
	all[0].crash(t)
	again := beginWith(t, Config{Node: "a", Bind: all[0].at, Keys: secrets("k")}, on)
	again.Set(map[string]Other{"b": {At: all[1].at}})
	all[1].awaits(t, "the next run", func(v View) bool { return v.Peers["a"].Instance == again.Instance() })
	if all[1].View().Peers["a"].StateKnown {
		t.Error("the state of the run before is kept")
	}
}

// TestAnOlderStateNeverReplacesANewer, by whatever way it comes.
func TestAnOlderStateNeverReplacesANewer(t *testing.T) {
	m := New(Config{Node: "self"})
	m.roster.list(begins, "a", 5, gossipAt("127.0.0.1"), true)
	for _, step := range []struct {
		instance, seq uint64
		state         State
		taken         bool
	}{
		{5, 2, State{Known: true}, true},
		{5, 1, State{}, false},
		{5, 2, State{}, false},
		{4, 9, State{}, false},
		{5, 3, State{Leaving: true}, true},
		{6, 1, State{Known: true}, true},
		{5, 4, State{}, false},
	} {
		newer, ok := m.roster.hand(begins, news{"a", step.instance, step.seq, encode(step.state)})
		if newer != step.taken || !ok {
			t.Errorf("%+v: taken is %v", step, newer)
		}
		if p := m.View().Peers["a"]; step.taken && (!equal(p.State, step.state) || p.Instance != step.instance) {
			t.Errorf("%+v: it is now %+v", step, p)
		}
	}
	if _, ok := m.roster.hand(begins, news{"a", 6, 2, []byte{255}}); ok {
		t.Error("nonsense is not refused")
	}
}

func equal(a, b State) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func TestASilentDeathIsFoundByHeartbeats(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.5.", Timing{}, "a", "b", "c")
	all[2].crash(t)
	took := all[0].awaits(t, "c is dead", alive("a", "b"))
	t.Logf("after %v", took)
	// memberlist has not given it up: it was the heartbeats.
	if v := all[0].View(); !slices.Equal(v.Silent, []string{"c"}) || v.Peers["c"].Instance != 0 {
		t.Errorf("the view is %+v", v)
	}
	// When memberlist has come to the same, nobody is silent any more.
	all[0].awaits(t, "memberlist gives it up", func(v View) bool { return len(v.Silent) == 0 })
	if v := all[0].View(); len(v.Alive) != 2 {
		t.Errorf("the view is %+v", v)
	}
}

func TestACutBetweenTwoIsNoDeath(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.6.", Timing{}, "a", "b", "c")
	on.part(all[0], all[1])
	// Long enough for a to be sure of it, and to be told otherwise.
	eventually(t, "a accuses b", func() (accuses bool) {
		all[0].roster.use(func(w *watch) { accuses = w.others["b"].repeats > 20 })
		return accuses
	})
	for _, s := range all {
		if v := s.View(); len(v.Alive) != 3 || v.Returned > 0 {
			t.Errorf("%s sees %v, %d returned", s.cfg.Node, v.Alive, v.Returned)
		}
	}
}

// TestAPartitionIsFoundByBothSidesAndItsEndToo: then each side learns at once what the other has claimed meanwhile.
func TestAPartitionIsFoundByBothSidesAndItsEndToo(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.7.", Timing{}, "a", "b", "c")
	for _, s := range all {
		s.Set(nil) // Whoever was there once is looked for.
	}
	on.part(all[0], all[1:]...)
	all[0].awaits(t, "a is alone", alive("a"))
	all[1].awaits(t, "a is away", alive("b", "c"))
	all[2].awaits(t, "a is away", alive("b", "c"))
	eventually(t, "memberlist has given them up", func() bool {
		return len(all[0].roster.listed()) == 1 && len(all[1].roster.listed()) == 2
	})
	one, other := all[0].claims("192.0.2.1"), all[1].claims("192.0.2.2")
	all[0].Claim(one)
	all[1].Claim(other)
	on.heal()
	begin := time.Now()
	all[0].awaits(t, "the other side", func(v View) bool { return alive("a", "b", "c")(v) && has(other)(v) && v.Returned == 2 })
	all[1].awaits(t, "the other side", func(v View) bool { return alive("a", "b", "c")(v) && has(one)(v) && v.Returned == 1 })
	took := time.Since(begin)
	t.Logf("healed after %v", took)
	if took > soon {
		t.Errorf("it took %v", took)
	}
	eventually(t, "memberlist takes them back", func() bool { return len(all[0].roster.listed()) == 3 && len(all[2].roster.listed()) == 3 })
}

// A partition that is over before memberlist has noticed: whatever message comes through first, a vote as likely as a ping,
// what the other side has claimed meanwhile comes with it.
func TestAShortPartitionLeavesNothingUntold(t *testing.T) {
	on := newNetwork()
	timing, _ := Preset(Fast)
	timing.PushPullInterval = time.Hour
	all := gather(t, on, "127.1.29.", timing, "a", "b")
	a, b := all[0], all[1]
	for i := range 5 {
		on.part(a, b)
		a.awaits(t, "a is alone", alive("a"))
		b.awaits(t, "b is alone", alive("b"))
		one, other := a.claims(fmt.Sprintf("192.0.2.%d", 10+i)), b.claims(fmt.Sprintf("192.0.2.%d", 20+i))
		a.Claim(one)
		b.Claim(other)
		eventually(t, "what gossip repeats has been lost", func() bool { return a.repeats.NumQueued()+b.repeats.NumQueued() == 0 })
		on.heal()
		a.awaits(t, "what b has claimed", has(other))
		b.awaits(t, "what a has claimed", has(one))
	}
}

func TestOneThatWakesIsInDoubtUntilItKnowsWhatItHasMissed(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.8.", Timing{}, "a", "b", "c")
	a, b := all[0], all[1]
	own := a.claims("192.0.2.1")
	a.Claim(own)
	b.awaits(t, "the claim", has(own))
	if a.Doubtful() {
		t.Error("it is in doubt before")
	}
	a.switches.set(true)
	b.awaits(t, "a is silent", alive("b", "c"))
	on.part(a, b, all[2]) // What comes to a stopped process may be more than its socket keeps.
	heir := b.claims("192.0.2.1")
	heir[0].Term = 2
	b.Claim(heir)
	eventually(t, "the others repeat it no more", func() bool { return b.repeats.NumQueued()+all[2].repeats.NumQueued() == 0 })
	on.heal()
	eventually(t, "it is in doubt as long as it is stopped", a.Doubtful)
	eventually(t, "memberlist gives it up", func() bool { return len(b.roster.listed()) == 2 })

	a.switches.set(false)
	took := eventually(t, "it is sure of itself again", func() bool { return !a.Doubtful() })
	t.Logf("in doubt for %v", took)
	if !has(heir)(a.View()) {
		t.Error("it is sure of itself, and does not know that it was replaced")
	}
	if !a.answered() {
		t.Error("it was in doubt as if nobody had answered")
	}
	for _, s := range all {
		s.awaits(t, "all are back", alive("a", "b", "c"))
	}
}

// answered reports whether the last doubt was ended by an answer.
func (s *speaker) answered() bool {
	s.fence.mu.Lock()
	defer s.fence.mu.Unlock()
	return s.fence.woke != 0 && time.Duration(s.fence.until.Load()) < s.fence.woke+doubt
}

func TestOneThatWakesAloneDoesNotDoubt(t *testing.T) {
	on := newNetwork()
	a := beginWith(t, Config{Node: "a", Bind: gossipAt("127.1.9.1"), Keys: secrets("k")}, on)
	eventually(t, "it ticks", func() bool { return a.fence.ticked.Load() != 0 })
	a.switches.set(true)
	eventually(t, "it is stopped", a.Doubtful)
	a.switches.set(false)
	eventually(t, "it knows that there is nobody to ask", func() bool { return !a.Doubtful() })
	if a.fence.woke != 0 {
		t.Error("it has asked")
	}
}

func TestAStarvedSpeakerAccusesNobody(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.10.", Timing{}, "a", "b")
	a := all[0]
	for range 3 {
		a.switches.set(true)
		eventually(t, "it has missed ticks", a.Doubtful)
		a.switches.set(false)
		eventually(t, "it ticks", func() bool { return !a.Doubtful() })
	}
	if v := a.View(); v.Returned > 0 || len(v.Alive) != 2 {
		t.Errorf("it has taken b for dead: %+v", v)
	}
}

func TestFalseAlarmsAreDamped(t *testing.T) {
	on := newNetwork()
	registry := prometheus.NewPedanticRegistry()
	a := beginWith(t, Config{Node: "a", Bind: gossipAt("127.1.11.1"), Keys: secrets("k"), Registerer: registry}, on)
	b := beginWith(t, Config{Node: "b", Bind: gossipAt("127.1.11.2"), Keys: secrets("k")}, on)
	meet(t, a, b)
	a.awaits(t, "both", alive("a", "b"))
	heartbeats(t, a, b)
	var took []time.Duration
	for range 2 {
		on.part(a, b)
		took = append(took, a.awaits(t, "b is away", alive("a")))
		on.heal()
		a.awaits(t, "b is back", alive("a", "b"))
	}
	t.Log(took)
	if took[1] < 350*time.Millisecond {
		t.Errorf("the second alarm came as soon as the first: %v", took)
	}
	want := `
		# HELP daymark_gossip_false_alarms_total Speakers that were taken for silent and came back.
		# TYPE daymark_gossip_false_alarms_total counter
		daymark_gossip_false_alarms_total 2
		# HELP daymark_gossip_members_alive Speakers that are alive, this one included.
		# TYPE daymark_gossip_members_alive gauge
		daymark_gossip_members_alive 2
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"daymark_gossip_false_alarms_total", "daymark_gossip_members_alive"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// TestARestartIsANewInstanceAtOnce, however quick it was.
func TestARestartIsANewInstanceAtOnce(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.12.", Timing{}, "a", "b")
	a, before := all[0], all[1]
	before.crash(t)
	b := beginWith(t, Config{Node: "b", Bind: before.at, Keys: secrets("k")}, on)
	meet(t, a, b)
	took := a.awaits(t, "the next run of b", func(v View) bool { return v.Peers["b"].Instance == b.Instance() })
	t.Logf("after %v", took)
	if b.Instance() <= before.Instance() || a.View().Returned > 0 {
		t.Errorf("instances %d and %d, %d returned", before.Instance(), b.Instance(), a.View().Returned)
	}
}

func TestASetBackClockMakesNobodyItsOwnPredecessor(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.13.", Timing{}, "a", "b")
	b := all[1]
	future := election.Claim{Addr: netip.MustParseAddr("192.0.2.1"), Node: "b", Instance: b.Instance() + 1e9, Term: 1}
	all[0].Claim([]election.Claim{future})
	b.awaits(t, "it has heard of itself", func(v View) bool { return v.Peers["b"].Instance > future.Instance })
	instance := b.Instance()
	all[0].awaits(t, "it is known by its new instance", func(v View) bool { return v.Peers["b"].Instance == instance })
	b.Claim([]election.Claim{{Addr: future.Addr, Node: "b", Instance: math.MaxUint64, Term: 1}})
	if b.Instance() != instance {
		t.Error("there is no later instance left")
	}
}

// TestAFarewellIsHeardAtOnce: the leaver is not taken for alive because it was heard a moment ago.
func TestAFarewellIsHeardAtOnce(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.14.", Timing{}, "a", "b", "c")
	all[2].end()
	t.Logf("after %v", all[0].awaits(t, "c has left", alive("a", "b")))
	all[0].roster.use(func(w *watch) {
		if !w.others["c"].left {
			t.Error("c is missed, and has not said farewell")
		}
	})
	if v := all[0].View(); v.Returned > 0 || len(v.Silent) > 0 {
		t.Errorf("the view is %+v", v)
	}
}

// TestStrangersAndNonsenseAreCounted and change nothing.
func TestStrangersAndNonsenseAreCounted(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.15.", Timing{}, "a", "b")
	a, b := all[0], all[1]
	stranger, err := net.Dial("udp", a.at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	before := testutil.ToFloat64(a.metrics.strangers)
	to, _, _ := b.roster.where("a")
	if _, err := stranger.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b.send(to, []byte("no message of ours"))
	eventually(t, "both are counted", func() bool {
		return testutil.ToFloat64(a.metrics.strangers) > before && testutil.ToFloat64(a.metrics.malformed) == 1
	})
	if v := a.View(); len(v.Alive) != 2 || len(v.Claims) > 0 {
		t.Errorf("the view is %+v", v)
	}
}

// TestPresets: each is there, all of it, and works.
func TestPresets(t *testing.T) {
	for i, name := range []string{"fast", "lan", "wan"} {
		timing, ok := Preset(name)
		if !ok || timing.ProbeTimeout >= timing.ProbeInterval || timing.HeartbeatInterval == 0 || timing.HeartbeatMultiplier < 4 {
			t.Errorf("%s: %+v", name, timing)
		}
		all := gather(t, newNetwork(), fmt.Sprintf("127.1.%d.", 20+i), timing, "a", "b")
		claims := all[0].claims("192.0.2.1")
		all[0].Claim(claims)
		all[1].awaits(t, "the claim", has(claims))
	}
	if _, ok := Preset("slow"); ok {
		t.Error("there is a preset of any name")
	}
}

func TestHeartbeatsOff(t *testing.T) {
	timing, _ := Preset("fast")
	timing.HeartbeatInterval = 0
	on := newNetwork()
	var all []*speaker
	for i, node := range []string{"a", "b"} {
		all = append(all, beginWith(t, Config{Node: node, Bind: gossipAt(fmt.Sprint("127.1.30.", i+1)), Keys: secrets("k"), Timing: timing}, on))
	}
	meet(t, all...)
	a, b := all[0], all[1]
	a.awaits(t, "both", alive("a", "b"))
	b.awaits(t, "both", alive("a", "b"))
	// The fence works without them.
	eventually(t, "it ticks", func() bool { return a.fence.ticked.Load() != 0 })
	claims := b.claims("192.0.2.1")
	a.switches.set(true)
	b.Claim(claims)
	eventually(t, "it is stopped", a.Doubtful)
	a.switches.set(false)
	eventually(t, "it is sure of itself again", func() bool { return !a.Doubtful() })
	if !a.answered() {
		t.Error("it was in doubt as if nobody had answered")
	}
	if !has(claims)(a.View()) {
		t.Error("it does not know what it has missed")
	}
	b.crash(t)
	if took := a.awaits(t, "b is dead", alive("a")); took < 300*time.Millisecond {
		t.Errorf("it took %v: as if there were heartbeats", took)
	}
}
