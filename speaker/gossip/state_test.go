package gossip

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
)

func TestState_LinksSayWhatTheyCannotDo(t *testing.T) {
	address, subnet := netip.MustParsePrefix("192.0.2.9/32"), netip.MustParsePrefix("192.0.2.0/24")
	link := lb.Link{
		Name: "eth0", Up: true, PermanentMAC: "02:00:00:00:00:09", Addresses: []netip.Prefix{address}, Routes: []netip.Prefix{subnet}, Unable: []lb.Family{lb.IPv6}, Local: []netip.Prefix{subnet},
	}
	got, ok := stateRecord{version: version2, body: State{Links: []lb.Link{link}}.encode(version2)}.decode()
	if !ok || !reflect.DeepEqual(got.Links, []lb.Link{link}) {
		t.Errorf("%+v arrives as %+v", link, got.Links)
	}
	link.Addresses[0] = netip.MustParsePrefix("192.0.2.9/24")
	got, ok = stateRecord{version: version2, body: State{Links: []lb.Link{link}}.encode(version2)}.decode()
	if !ok || got.Links[0].Routes != nil {
		t.Errorf("what follows from an address is told as well: %v", got.Links)
	}
}

func TestState_TellsOfTheServiceProxy(t *testing.T) {
	encode := func(proxy proxyhealth.State) (State, bool) {
		return stateRecord{version: version2, body: State{Proxy: proxy}.encode(version2)}.decode()
	}
	if got, ok := encode(proxyhealth.Withdrawn); !ok || got.Proxy != proxyhealth.Withdrawn {
		t.Errorf("it arrives as %+v", got)
	}
	if got, ok := encode(200); !ok || got.Proxy.AttractsNothing() {
		t.Errorf("a state of a later version arrives as %+v", got)
	}
}

func TestState_TellsWhatIsLost(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.200")
	decode := func(s State) (State, bool) { return stateRecord{version: version2, body: s.encode(version2)}.decode() }
	said := State{Lost: []netip.Addr{addr, netip.MustParseAddr("2001:db8::200")}}
	if got, ok := decode(said); !ok || !reflect.DeepEqual(got, said) {
		t.Errorf("it arrives as %+v", got)
	}
	said.Lost = slices.Repeat([]netip.Addr{addr}, maxLost+1)
	if got, ok := decode(said); !ok || len(got.Lost) != maxLost {
		t.Errorf("too many arrive as %d", len(got.Lost))
	}
	if _, ok := (stateRecord{version: version2, body: appendField(said.encode(version2), 10, addr.AsSlice())}).decode(); ok {
		t.Error("a state with too many addresses is taken")
	}
}

func TestState_TellsWhatIsDraining(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.200")
	decode := func(s State) (State, bool) { return stateRecord{version: version2, body: s.encode(version2)}.decode() }
	said := State{Draining: []netip.Addr{addr, netip.MustParseAddr("2001:db8::200")}, DrainingTold: true, PassesOn: true}
	if got, ok := decode(said); !ok || !reflect.DeepEqual(got, said) {
		t.Errorf("it arrives as %+v", got)
	}
	if got, ok := decode(State{PassesOnly: lb.IPv6}); !ok || got.PassesOn || got.PassesOnly != lb.IPv6 {
		t.Errorf("that packets of IPv6 alone are passed on arrives as %+v", got)
	}
	if got, ok := decode(State{}); !ok || got.DrainingTold || got.PassesOn {
		t.Errorf("what is not told arrives as %+v", got)
	}
	said.Draining = slices.Repeat([]netip.Addr{addr}, maxDraining+1)
	if got, ok := decode(said); !ok || len(got.Draining) != maxDraining || got.DrainingTold {
		t.Errorf("too many arrive as %d, and as all: %t", len(got.Draining), got.DrainingTold)
	}
	body := said.encode(version2)
	if _, ok := (stateRecord{version: version2, body: appendField(body, 6, addr.AsSlice())}).decode(); ok {
		t.Error("a state with too many addresses is taken")
	}
	if _, ok := (stateRecord{version: version2, body: appendField(nil, 6, []byte{1, 2, 3})}).decode(); ok {
		t.Error("an address of three bytes is taken")
	}
}

func TestState_TellsWhatIsCutOnSegments(t *testing.T) {
	segments := []election.SegmentEdges{
		{Subnet: netip.MustParsePrefix("198.51.100.0/24"), Cut: []string{"n2", "n3"}, Open: []string{"n4"}, Heard: []string{"n2"}},
		{Subnet: netip.MustParsePrefix("2001:db8::/64")},
	}
	decode := func(s []election.SegmentEdges) (State, bool) {
		return stateRecord{version: version2, body: State{Segments: s}.encode(version2)}.decode()
	}
	if got, ok := decode(segments); !ok || !reflect.DeepEqual(got.Segments, segments) {
		t.Errorf("they arrive as %+v", got.Segments)
	}
	many := slices.Repeat(segments[:1], maxSegments+1)
	for range 10 {
		many[0].Cut = append(many[0].Cut, many[0].Cut...)
	}
	if got, ok := decode(many); !ok || len(got.Segments) != maxSegments || len(got.Segments[0].Cut) != maxSegmentNodes {
		t.Errorf("too many arrive as %d", len(got.Segments))
	}
	body := State{}.encode(version2)
	for range maxSegments + 1 {
		body = appendField(body, 5, appendSegment2(nil, segments[0]))
	}
	if _, ok := (stateRecord{version: version2, body: body}).decode(); ok {
		t.Error("a state with too many segments is taken")
	}
}

// A speaker that begins says all that version 1 can say before it knows what the others understand. What it does not say then is no answer.
func TestPeer_IsPartialUntilItHasSaidAll(t *testing.T) {
	m := New(Config{Node: "self"})
	said := State{Known: true, PassesOn: true, DrainingTold: true}
	inVersion := func(node string, v version) stateRecord {
		return stateRecord{node: node, incarnation: 5, seq: 1, version: v, body: said.encode(v)}
	}
	listed := func(node string, understands versionRange) {
		m.peers.setListed(begins, node, listing{incarnation: 5, versions: understands, at: gossipAt("127.0.0.1")}, true)
	}
	listed("new", versionRange{oldest, newest})
	expect := func(what string, partial bool) {
		t.Helper()
		if p := m.View().Peers["new"]; !p.StateKnown || p.Partial != partial {
			t.Errorf("%s: %+v", what, p)
		}
	}
	take := func(record stateRecord) {
		if is, ok := m.peers.mergeState(begins, record); is == noNews || !ok {
			t.Fatalf("it is not taken: %+v", record)
		}
	}
	take(inVersion("new", version1))
	expect("who understands later versions says part of it", true)
	listed("old", versionRange{version1, version1})
	expect("while one is there who does not, nobody says more", false)
	m.peers.setListed(begins, "old", listing{}, false)
	take(inVersion("new", version2))
	expect("it has said all", false)
}

// A speaker that restarts never seems to say that it does not pass on.
func TestPeer_ARestartLeavesNothingUnsaid(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.1.14.", Timing{}, "a", "b")
	a, before := all[0], all[1]
	before.crash(t)
	b := beginWith(t, Config{Node: "b", Bind: before.at, Keys: secrets("k")}, on)
	b.BroadcastState(State{Known: true, PassesOn: true})
	b.Set(map[string]ExpectedPeer{"a": {Address: a.at}})
	partial := false
	a.awaits(t, "all that the next run says", func(v View) bool {
		p := v.Peers["b"]
		partial = partial || p.Partial
		if p.StateKnown && !p.Partial && !p.State.PassesOn {
			t.Errorf("it seems to say: %+v", p)
		}
		return p.Incarnation == b.Incarnation() && p.State.PassesOn
	})
	t.Logf("for a time only part was known: %v", partial)
}
