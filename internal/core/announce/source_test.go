package announce

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// ownLinks are an interface with the InternalIP of n1, and the loopback interface with more addresses.
func ownLinks(loopback ...string) []lb.Link {
	return []lb.Link{{Name: "eth0", Index: 7, Addresses: prefixes("192.0.2.11/24")}, {Name: "lo", Addresses: prefixes(loopback...)}}
}

func TestSessions_SourceAndRouterIDFromTheNode(t *testing.T) {
	const loopback, id = "example.com/loopback", "example.com/router-id"
	for _, test := range []struct {
		name            string
		change          func(*World, *lb.Peer)
		source, problem string
	}{
		{"an annotation", func(w *World, p *lb.Peer) {
			p.SourceAnnotation = loopback
			w.node("n1").Annotations = map[string]string{loopback: "203.0.113.1"}
		}, "203.0.113.1", ""},
		{"an annotation with an address of each family", func(w *World, p *lb.Peer) {
			p.SourceAnnotation, p.Address = loopback, netip.MustParseAddr("2001:db8::1")
			w.node("n1").Annotations = map[string]string{loopback: "203.0.113.1, 2001:db8:1::1"}
		}, "2001:db8:1::1", ""},
		{"an annotation with empty elements", func(w *World, p *lb.Peer) {
			p.SourceAnnotation, p.Address = loopback, netip.MustParseAddr("2001:db8::1")
			w.node("n1").Annotations = map[string]string{loopback: " , 203.0.113.1,, 2001:db8:1::1 ,"}
		}, "2001:db8:1::1", ""},
		{"an annotation of the other family and a comma at its end", func(w *World, p *lb.Peer) {
			p.SourceAnnotation = loopback
			w.node("n1").Annotations = map[string]string{loopback: "2001:db8:1::1,"}
		}, "", "sourceFrom: annotation example.com/loopback of node n1 has no IPv4 address"},
		{"no annotation", func(_ *World, p *lb.Peer) { p.SourceAnnotation = loopback }, "", "sourceFrom: node n1 has no annotation example.com/loopback"},
		{"an annotation of the other family alone", func(w *World, p *lb.Peer) {
			p.SourceAnnotation = loopback
			w.node("n1").Annotations = map[string]string{loopback: "2001:db8:1::1"}
		}, "", "sourceFrom: annotation example.com/loopback of node n1 has no IPv4 address"},
		{"an annotation that leaves it to the kernel", func(w *World, p *lb.Peer) {
			p.SourceAnnotation = loopback
			w.node("n1").Annotations = map[string]string{loopback: "0.0.0.0"}
		}, "", ""},
		{"an annotation with a word in it", func(w *World, p *lb.Peer) {
			p.SourceAnnotation = loopback
			w.node("n1").Annotations = map[string]string{loopback: "lo"}
		}, "", `sourceFrom: annotation example.com/loopback of node n1: "lo" is not an address`},
		{"an annotation with the address of a group", func(w *World, p *lb.Peer) {
			p.SourceAnnotation = loopback
			w.node("n1").Annotations = map[string]string{loopback: "224.0.0.5"}
		}, "", "sourceFrom: annotation example.com/loopback of node n1: the source address 224.0.0.5 is not the address of a node"},
		{"an annotation with a link-local address", func(w *World, p *lb.Peer) {
			p.SourceAnnotation, p.Address = loopback, netip.MustParseAddr("2001:db8::1")
			w.node("n1").Annotations = map[string]string{loopback: "fe80::11"}
		}, "", "sourceFrom: annotation example.com/loopback of node n1: from the link-local source address fe80::11 only link-local routers are reached, and 2001:db8::1 is none"},
		{"an annotation with an address that no interface has", func(w *World, p *lb.Peer) {
			p.SourceAnnotation = loopback
			w.node("n1").Annotations = map[string]string{loopback: "203.0.113.9"}
		}, "", "sourceFrom: annotation example.com/loopback of node n1: no interface of node n1 has 203.0.113.9"},
		{"an annotation with an address that the kernel owns by a local route", func(w *World, p *lb.Peer) {
			p.SourceAnnotation = loopback
			w.node("n1").Annotations = map[string]string{loopback: "203.0.113.9"}
			w.OwnLinks = []lb.Link{{Name: "lo", Local: prefixes("203.0.113.8/29")}}
		}, "203.0.113.9", ""},
		{"a fixed address", func(_ *World, p *lb.Peer) { p.Source = netip.MustParseAddr("192.0.2.11") }, "192.0.2.11", ""},
		{
			"a fixed address that no interface has", func(_ *World, p *lb.Peer) { p.Source = netip.MustParseAddr("192.0.2.12") },
			"", "sourceAddress: no interface of node n1 has 192.0.2.12",
		},
		{"an address of which Speaker objects alone say nothing", func(w *World, p *lb.Peer) {
			w.Reported, w.OwnLinks, p.Source = true, nil, netip.MustParseAddr("192.0.2.12")
		}, "192.0.2.12", ""},
		{"an interface", func(w *World, p *lb.Peer) {
			p.SourceInterface = "lo"
			w.OwnLinks = []lb.Link{{Name: "lo", Addresses: prefixes("127.0.0.1/8", "203.0.113.1/32", "::1/128")}}
		}, "203.0.113.1", ""},
		{"an interface with the InternalIP among others", func(w *World, p *lb.Peer) {
			p.SourceInterface = "eth1"
			w.OwnLinks = []lb.Link{{Name: "eth1", Addresses: prefixes("192.0.2.2/24", "192.0.2.11/24")}}
		}, "192.0.2.11", ""},
		{"an interface with a virtual address", func(w *World, p *lb.Peer) {
			p.SourceInterface = "eth1"
			w.OwnLinks = []lb.Link{{Name: "eth1", Addresses: prefixes("198.51.100.1/32", "198.51.100.11/24")}}
		}, "198.51.100.11", ""},
		{"an interface with a temporary address", func(w *World, p *lb.Peer) {
			p.SourceInterface, p.Address = "eth1", netip.MustParseAddr("2001:db8::1")
			w.OwnLinks = []lb.Link{{
				Name: "eth1", Addresses: prefixes("2001:db8::10/64", "2001:db8::11/64", "fe80::11/64"),
				NotPreferred: []netip.Addr{netip.MustParseAddr("2001:db8::10")},
			}}
		}, "2001:db8::11", ""},
		{"an interface without an address of the family", func(w *World, p *lb.Peer) {
			p.SourceInterface = "lo"
			w.OwnLinks = []lb.Link{{Name: "lo", Addresses: prefixes("127.0.0.1/8", "2001:db8::1/128")}}
		}, "", "sourceFrom: interface lo of node n1 has no IPv4 address"},
		{"an interface that is not there", func(_ *World, p *lb.Peer) { p.SourceInterface = "lo1" }, "", "sourceFrom: node n1 has no interface lo1"},
		{"a router ID that is missing", func(_ *World, p *lb.Peer) { p.RouterIDAnnotation = id }, "", "routerIDFrom: node n1 has no annotation example.com/router-id"},
		{"a router ID of zeros", func(w *World, p *lb.Peer) {
			p.RouterIDAnnotation = id
			w.node("n1").Annotations = map[string]string{id: "0.0.0.0"}
		}, "", "routerIDFrom: annotation example.com/router-id of node n1: 0.0.0.0 has not the form of an IPv4 address other than 0.0.0.0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			w.OwnLinks = ownLinks("203.0.113.1/32", "2001:db8:1::1/128")
			test.change(w, w.Peers[0])
			got := Compute(w).Sessions[0]
			source := ""
			if got.Source.IsValid() {
				source = got.Source.String()
			}
			if source != test.source || got.Problem != test.problem {
				t.Errorf("source %q, problem %q", source, got.Problem)
			}
		})
	}
	w := cluster()
	w.Peers[0].RouterIDAnnotation = id
	w.node("n1").Annotations = map[string]string{id: "203.0.113.1"}
	if got := Compute(w).Sessions[0]; got.RouterID.String() != "203.0.113.1" || got.Problem != "" {
		t.Errorf("router ID %s, problem %q", got.RouterID, got.Problem)
	}
}

// What an annotation gave goes on as long as the peer names one, and what it says cannot be used.
func TestLocalEnds_GoOnWithoutTheAnnotation(t *testing.T) {
	const loopback, id, other = "example.com/loopback", "example.com/router-id", "example.com/other"
	w := cluster()
	w.OwnLinks = ownLinks("203.0.113.1/32", "203.0.113.2/32", "2001:db8::11/128", "2001:db8::12/128")
	peer, node := w.Peers[0], w.node("n1")
	peer.SourceAnnotation, peer.RouterIDAnnotation = loopback, id
	for _, step := range []struct {
		name             string
		annotations      map[string]string
		change           func()
		source, routerID string
		problem, warning string
	}{
		{name: "before there is one nothing runs", problem: "sourceFrom: node n1 has no annotation example.com/loopback"},
		{
			name: "what is valid counts", annotations: map[string]string{loopback: "203.0.113.1, 2001:db8::11", id: "203.0.113.7"},
			source: "203.0.113.1", routerID: "203.0.113.7",
		},
		{
			name: "what is removed goes on", source: "203.0.113.1", routerID: "203.0.113.7",
			warning: "sourceFrom: node n1 has no annotation example.com/loopback: 203.0.113.1, which it had, goes on; " +
				"routerIDFrom: node n1 has no annotation example.com/router-id: 203.0.113.7, which it had, goes on",
		},
		{
			name: "so it is with what is empty or cannot be used", annotations: map[string]string{loopback: "224.0.0.5", id: " "},
			source: "203.0.113.1", routerID: "203.0.113.7",
			warning: "sourceFrom: annotation example.com/loopback of node n1: the source address 224.0.0.5 is not the address of a node: 203.0.113.1, which it had, goes on; " +
				"routerIDFrom: node n1 has no annotation example.com/router-id: 203.0.113.7, which it had, goes on",
		},
		{
			name: "and of another family alone", annotations: map[string]string{loopback: "2001:db8::12", id: "2001:db8::12"},
			source: "203.0.113.1", routerID: "203.0.113.7",
			warning: "sourceFrom: annotation example.com/loopback of node n1 has no IPv4 address: 203.0.113.1, which it had, goes on; " +
				"routerIDFrom: annotation example.com/router-id of node n1: 2001:db8::12 has not the form of an IPv4 address other than 0.0.0.0: " +
				"203.0.113.7, which it had, goes on",
		},
		{
			name: "a router of a family that had none", change: func() { peer.Address = netip.MustParseAddr("2001:db8::1") }, routerID: "203.0.113.7",
			problem: "sourceFrom: node n1 has no annotation example.com/loopback",
			warning: "routerIDFrom: node n1 has no annotation example.com/router-id: 203.0.113.7, which it had, goes on",
		},
		{
			name: "a valid one ends it", annotations: map[string]string{loopback: "203.0.113.2", id: "203.0.113.8"},
			change: func() { peer.Address = netip.MustParseAddr("192.0.2.1") }, source: "203.0.113.2", routerID: "203.0.113.8",
		},
		{
			name: "a fixed address of the peer does, too", change: func() { peer.SourceAnnotation, peer.Source = "", netip.MustParseAddr("192.0.2.11") },
			source: "192.0.2.11", routerID: "203.0.113.8",
			warning: "routerIDFrom: node n1 has no annotation example.com/router-id: 203.0.113.8, which it had, goes on",
		},
		{
			name: "which goes on in its turn", change: func() { peer.SourceAnnotation, peer.Source = other, netip.Addr{} },
			source: "192.0.2.11", routerID: "203.0.113.8",
			warning: "sourceFrom: node n1 has no annotation example.com/other: 192.0.2.11, which it had, goes on; " +
				"routerIDFrom: node n1 has no annotation example.com/router-id: 203.0.113.8, which it had, goes on",
		},
		{
			name: "nothing from the node", change: func() { peer.SourceAnnotation, peer.RouterIDAnnotation = "", "" }, routerID: "192.0.2.11",
		},
		{
			name: "goes on as it was while a first interface is misspelt", change: func() { peer.SourceInterface, peer.RouterIDAnnotation = "etth0", id }, routerID: "192.0.2.11",
			warning: "sourceFrom: node n1 has no interface etth0: the session goes on from the address that the kernel chooses, as it did; " +
				"routerIDFrom: node n1 has no annotation example.com/router-id: 192.0.2.11, which it had, goes on",
		},
		{
			name: "but not a peer that never had a session", change: func() { peer.Name = "never" },
			problem: "sourceFrom: node n1 has no interface etth0", routerID: "",
		},
	} {
		node.Annotations = step.annotations
		if step.change != nil {
			step.change()
		}
		sessions := Compute(w).Sessions
		w.LocalEnds = LocalEnds(w.Peers, sessions, w.LocalEnds)
		text := func(a netip.Addr) string { return strings.TrimSuffix(a.String(), "invalid IP") }
		if s := &sessions[0]; text(s.Source) != step.source || text(s.RouterID) != step.routerID || s.Problem != step.problem ||
			strings.Join(s.Warnings, "; ") != step.warning {
			t.Errorf("%s: source %q, router ID %q, problem %q, warnings %q", step.name, text(s.Source), text(s.RouterID), s.Problem, s.Warnings)
		}
	}
}

// For a while the router is not known, or the node is not selected. What the annotation gave is not lost meanwhile, nor by a restart of a
// speaker that has not heard the router yet.
func TestLocalEnds_GoOnWithoutASession(t *testing.T) {
	const loopback = "example.com/loopback"
	w := cluster()
	peer := w.Peers[0]
	peer.SourceAnnotation, peer.Address, peer.Interface = loopback, netip.Addr{}, "eth0"
	w.OwnLinks = ownLinks("2001:db8::11/128")
	router, source := netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("2001:db8::11")
	remembered := map[string]LocalEnd{peer.Name: {Source6: source}}
	for name, change := range map[string]func(){
		"no router is heard": func() { w.Routers = nil },
		"no node is there":   func() { w.Node = "n9" },
	} {
		w.Routers, w.Node, w.LocalEnds = nil, "n1", remembered
		change()
		sessions := Compute(w).Sessions
		w.LocalEnds = LocalEnds(w.Peers, sessions, w.LocalEnds)
		for i := range sessions {
			end := w.LocalEnds[peer.Name]
			if said, _ := end.OfSession(&sessions[i]); said != source {
				t.Errorf("%s: the Speaker says that the source is %s", name, said)
			}
		}
		w.Routers, w.Node = map[string]netip.Addr{"eth0": router}, "n1"
		if s := Compute(w).Sessions[0]; s.Source != source || s.Problem != "" {
			t.Errorf("%s, and then there is: source %s, problem %q", name, s.Source, s.Problem)
		}
	}
	if ends := LocalEnds(nil, nil, remembered); len(ends) > 0 {
		t.Errorf("of a peer that is gone there is %v", ends)
	}
}

// A source address that the node does not have is none that a session could have: the one before goes on, for BFD, too, as long as the node
// has that.
func TestLocalEnds_GoOnWithoutTheNewAddress(t *testing.T) {
	const loopback = "example.com/loopback"
	for name, give := range map[string]func(peer *lb.Peer, n *lb.Node, addr string){
		"sourceFrom: annotation example.com/loopback of node n1": func(peer *lb.Peer, n *lb.Node, addr string) {
			peer.SourceAnnotation, n.Annotations = loopback, map[string]string{loopback: addr}
		},
		"sourceAddress": func(peer *lb.Peer, _ *lb.Node, addr string) { peer.Source = netip.MustParseAddr(addr) },
	} {
		w := cluster()
		w.Peers[0].BFDProfile = "fast"
		bfd := &BFDPlan{}
		for _, step := range []struct {
			name                     string
			addr                     string
			has                      []string
			source, problem, warning string
		}{
			{name: "the node has it", addr: "203.0.113.1", has: []string{"203.0.113.1/32"}, source: "203.0.113.1"},
			{
				name: "it does not have the next one", addr: "203.0.113.9", has: []string{"203.0.113.1/32"}, source: "203.0.113.1",
				warning: ": no interface of node n1 has 203.0.113.9: 203.0.113.1, which it had, goes on",
			},
			{
				name: "nor the one before any more", addr: "203.0.113.9", source: "invalid IP",
				problem: ": no interface of node n1 has 203.0.113.9",
			},
			{
				name: "which comes back", addr: "203.0.113.9", has: []string{"203.0.113.1/32"}, source: "203.0.113.1",
				warning: ": no interface of node n1 has 203.0.113.9: 203.0.113.1, which it had, goes on",
			},
			{name: "it has been given the next one", addr: "203.0.113.9", has: []string{"203.0.113.9/32"}, source: "203.0.113.9"},
			{name: "and loses it", addr: "203.0.113.9", source: "invalid IP", problem: ": no interface of node n1 has 203.0.113.9"},
		} {
			give(w.Peers[0], w.node("n1"), step.addr)
			w.OwnLinks = ownLinks(step.has...)
			sessions := Compute(w).Sessions
			w.LocalEnds = LocalEnds(w.Peers, sessions, w.LocalEnds)
			s, warning, problem := &sessions[0], step.warning, step.problem
			if warning != "" {
				warning = name + warning
			}
			if problem != "" {
				problem = name + problem
			}
			if s.Source.String() != step.source || s.Problem != problem || strings.Join(s.Warnings, "; ") != warning {
				t.Errorf("%s: %s: source %s, problem %q, warnings %q", name, step.name, s.Source, s.Problem, s.Warnings)
			}
			watched := bfd.Sessions
			if bfd = bfd.Next(sessions, nil); problem == "" && bfd.Sessions[0].Local != s.Source || problem != "" && !reflect.DeepEqual(bfd.Sessions, watched) {
				t.Errorf("%s: %s: BFD %+v, before it %+v", name, step.name, bfd.Sessions, watched)
			}
		}
	}
}

func TestSessions_LinkLocalRouterFromAnnotation(t *testing.T) {
	w := cluster()
	w.Peers[0].Address, w.Peers[0].NodeAnnotation = netip.Addr{}, "example.com/routers"
	w.node("n1").Annotations = map[string]string{"example.com/routers": "fe80::1%eth0, fe80::2%eth0"}
	w.OwnLinks = []lb.Link{{Name: "eth0", Index: 7}}
	sessions := Compute(w).Sessions
	if len(sessions) != 2 || sessions[0].Address.String() != "fe80::1%eth0" || sessions[1].Name != "router/fe80::2%eth0" || sessions[1].Links != [2]int{7} {
		t.Errorf("sessions %+v", sessions)
	}
}
