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

// Connections that no node can hand packets of are not worth waiting for, once the move has settled.
func TestMemory_SaysWhichConnectionsNobodyPassesOn(t *testing.T) {
	near, far := Peer{Vias: []Via{{netip.MustParsePrefix("192.0.2.12/24"), []string{"eth0"}}}}, Peer{Vias: []Via{}}
	for _, test := range []struct {
		name    string
		before  []string
		holders []string
		peers   map[string]Peer
		after   time.Duration
		want    bool
	}{
		{"it went to one on the same segment", []string{"n1"}, []string{"n2"}, map[string]Peer{"n2": near}, settleTime, false},
		{"it went to one on another segment", []string{"n1"}, []string{"n2"}, map[string]Peer{"n2": far}, settleTime, true},
		{"a moment ago", []string{"n1"}, []string{"n2"}, map[string]Peer{"n2": far}, settleTime - 1, false},
		{"to two, one of which is on the same", []string{"n1", "n2", "n3"}, []string{"n2", "n3"}, map[string]Peer{"n2": far, "n3": near}, settleTime, false},
		{"to two on other segments", []string{"n1", "n2", "n3"}, []string{"n2", "n3"}, map[string]Peer{"n2": far, "n3": far}, settleTime, true},
		{"one on the same, which had it as well, may lead here", []string{"n1", "n3"}, []string{"n2"}, map[string]Peer{"n2": far, "n3": near}, settleTime, false},
		{"it went to one that has just begun to speak", []string{"n1"}, []string{"n2"}, map[string]Peer{"n2": {Partial: true}}, settleTime, false},
		{"it went to one that is not heard", []string{"n1"}, []string{"n2"}, nil, settleTime, false},
		{"nobody has it", []string{"n1"}, nil, map[string]Peer{"n2": far}, settleTime, false},
	} {
		m := Memory{}
		in := Input{Node: "n1", Peers: test.peers, Dead: func(string) bool { return false }, Left: map[netip.Addr]int{moved: 7}}
		var got Decision
		for _, step := range []struct {
			holders []string
			at      time.Duration
		}{{test.before, 0}, {test.holders, time.Second}, {test.holders, time.Second + test.after}} {
			in.Now, in.Addresses = start.Add(step.at), []Address{{Addr: moved, Holders: step.holders, Draining: draining}}
			got = m.Next(in)
		}
		if len(got.Left) != 1 || (len(got.Stranded) == 1) != test.want {
			t.Errorf("%s: left %v, of which nobody passes on %v", test.name, got.Left, got.Stranded)
		}
	}
}
