package handover

import (
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// Whoever plans a drain wants to know before it that a node cannot be handed packets.
func TestMemory_SaysWhichNodesShareNoSegment(t *testing.T) {
	six := netip.MustParseAddr("2001:db8::200")
	both := []Via{{netip.MustParsePrefix("192.0.2.12/24"), []string{"eth0"}}, {netip.MustParsePrefix("2001:db8::12/64"), []string{"eth0"}}}
	four, behind := both[:1], []Via{}
	for _, test := range []struct {
		name    string
		addr    netip.Addr
		links   []string
		before  []string // who holds it, a while ago
		holders []string
		n2, n3  *Peer
		off     []netip.Addr
		want    Apart
	}{
		{"all share one", moved, nil, nil, []string{"n1", "n2", "n3"}, &Peer{Vias: both}, &Peer{Vias: both}, nil, Apart{}},
		{"one is behind a router", moved, nil, nil, []string{"n1", "n2", "n3"}, &Peer{Vias: both}, &Peer{Vias: behind}, nil, Apart{IPv4: []string{"n3"}}},
		{"they have no IPv6 on it", six, nil, nil, []string{"n1", "n2", "n3"}, &Peer{Vias: four}, &Peer{Vias: four}, nil, Apart{IPv6: []string{"n2", "n3"}}},
		{"this node does not announce it", moved, nil, nil, []string{"n2", "n3"}, &Peer{Vias: behind}, &Peer{Vias: behind}, nil, Apart{}},
		{"one does not answer", moved, nil, nil, []string{"n1", "n2"}, &Peer{Vias: four}, nil, []netip.Addr{four[0].Prefix.Addr()}, Apart{}},
		{"one has just begun to speak", moved, nil, nil, []string{"n1", "n2"}, &Peer{Partial: true}, nil, nil, Apart{}},
		{"one is not heard", moved, nil, nil, []string{"n1", "n2"}, nil, nil, nil, Apart{}},
		{"by layer 2 nobody knows before it moves", moved, []string{"eth0"}, nil, []string{"n1"}, &Peer{Vias: behind}, nil, nil, Apart{}},
		{"it came from one on another segment", moved, []string{"eth1"}, []string{"n2"}, []string{"n1"}, &Peer{Vias: four}, nil, nil, Apart{IPv4: []string{"n2"}}},
		{"it went to one on another segment", moved, []string{"eth1"}, []string{"n1"}, []string{"n2"}, &Peer{Vias: four}, nil, nil, Apart{IPv4: []string{"n2"}}},
		{"it came from one on the same", moved, []string{"eth0"}, []string{"n2"}, []string{"n1"}, &Peer{Vias: four}, nil, nil, Apart{}},
	} {
		m := Memory{}
		in := Input{Now: start, Node: "n1", Peers: map[string]Peer{}, Dead: func(string) bool { return false }, Unreachable: test.off}
		for node, peer := range map[string]*Peer{"n2": test.n2, "n3": test.n3} {
			if peer != nil {
				in.Peers[node] = *peer
			}
		}
		if test.before != nil {
			in.Addresses = []Address{{Addr: test.addr, Links: test.links, Holders: test.before, Draining: draining}}
			m.Next(in)
		}
		// A second address with the same list of nodes is no reason to look again.
		in.Now = start.Add(time.Second)
		in.Addresses = []Address{
			{Addr: test.addr, Links: test.links, Holders: test.holders, Draining: draining},
			{Addr: test.addr.Next(), Links: test.links, Holders: test.holders, Draining: draining},
		}
		if got := m.Next(in).Apart; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
