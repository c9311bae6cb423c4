package handover

import (
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// All speakers restart, or that of a former holder is away for long and the others restart: its kernel goes on, and those that take its
// addresses must not have forgotten it.
func TestMemory_AProcessThatBeginsAsksNodesWhoseSpeakersAreAway(t *testing.T) {
	toN1 := func(hops int) []Passage { return []Passage{{moved, address4("n1"), hops}} }
	n1, n3 := address4("n1"), Peer{Vias: vias(address4("n3")), Complete: true, PassesOn: true}
	led := map[netip.Addr]bool{moved: true}
	for _, test := range []struct {
		name  string
		away  Away
		links []string
		dead  bool
		after time.Duration
		left  []netip.Addr // of n3
		want  []Passage
	}{
		{"it is expected", Away{Any: true}, []string{"eth0"}, false, time.Second, nil, toN1(1)},
		{"it is expected, and another is known to have connections", Away{Any: true}, []string{"eth0"}, false, time.Second, []netip.Addr{moved}, []Passage{{moved, address4("n3"), 2}}},
		{"it is expected, but for too long", Away{Any: true}, []string{"eth0"}, false, awayTime, nil, nil},
		{"it is expected, of an address by BGP", Away{Any: true}, nil, false, time.Second, nil, nil},
		{"it is led to", Away{Led: led}, nil, false, awayTime, nil, toN1(1)},
		{"it is led to, but for too long", Away{Led: led}, nil, false, draining, nil, nil},
		{"of another address it is led to", Away{Led: map[netip.Addr]bool{n1: true}}, []string{"eth0"}, false, time.Second, nil, nil},
		{"it is down", Away{Any: true, Led: led}, []string{"eth0"}, true, time.Second, nil, nil},
	} {
		test.away.Node, test.away.Vias = "n1", vias(n1)
		m, n3 := Memory{}, n3
		n3.Left = test.left
		in := Input{
			Now: start, Node: "n2", Addresses: []Address{{Addr: moved, Links: test.links, Draining: draining}}, Peers: map[string]Peer{"n3": n3},
			Dead: func(string) bool { return test.dead }, Away: []Away{test.away},
		}
		m.Next(in)
		in.Now, in.Away, in.Addresses = start.Add(test.after), nil, []Address{{Addr: moved, Holders: []string{"n2"}, Links: test.links, Draining: draining}}
		if got := m.Next(in).Plan.Passages; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: after %s passages are %v, want %v", test.name, test.after, got, test.want)
		}
	}
}

// When it is heard its own word counts, and one that does not answer on the segment is left out.
func TestMemory_ANodeThatIsAwayIsAskedUntilMoreIsKnown(t *testing.T) {
	for _, test := range []struct {
		name        string
		peer        *Peer
		unreachable []netip.Addr
		want        int
	}{
		{"nothing is known", nil, nil, 1},
		{"it has connections", &Peer{Vias: vias(address4("n1")), Left: []netip.Addr{moved}, Complete: true}, nil, 1},
		{"it has none", &Peer{Vias: vias(address4("n1")), Complete: true}, nil, 0},
		{"it does not answer", nil, []netip.Addr{address4("n1")}, 0},
	} {
		m := Memory{}
		in := Input{
			Now: start, Node: "n2", Addresses: []Address{{Addr: moved, Links: []string{"eth0"}, Holders: []string{"n2"}, Draining: draining}},
			Dead: func(string) bool { return false }, Away: []Away{{Node: "n1", Vias: vias(address4("n1")), Any: true}},
		}
		m.Next(in)
		in.Now, in.Away, in.Unreachable = start.Add(settleTime), nil, test.unreachable
		if test.peer != nil {
			in.Peers = map[string]Peer{"n1": *test.peer}
		}
		if got := m.Next(in).Plan.Passages; len(got) != test.want {
			t.Errorf("%s: passages are %v", test.name, got)
		}
	}
}
