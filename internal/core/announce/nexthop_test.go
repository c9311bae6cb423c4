package announce

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestSessions_NextHopOfTheOtherFamily(t *testing.T) {
	// The InternalIPs are on eth0; the fabric is eth1.
	eth0 := lb.Link{Name: "eth0", Up: true, Addresses: prefixes("192.0.2.11/24", "2001:db8::11/64")}
	fabric := lb.Link{Name: "eth1", Up: true, Addresses: prefixes("198.51.100.11/24", "2001:db8:1::11/64", "fe80::11/64")}
	fabric4 := lb.Link{Name: "eth1", Up: true, Addresses: prefixes("198.51.100.11/24")}
	fabricLL := lb.Link{Name: "eth1", Up: true, Addresses: prefixes("fe80::11/64")}
	lo := lb.Link{Name: "lo", Up: true, NoARP: true, Addresses: prefixes("127.0.0.1/8", "::1/128")}
	for _, test := range []struct {
		name       string
		links      []lb.Link
		router     string
		multiHop   bool
		four, six  string // "" for none
		fromFabric string // the IPv6 next hop of a connection from 198.51.100.11
	}{
		{"a router on the fabric: the addresses there", []lb.Link{eth0, fabric}, "198.51.100.1", false, "198.51.100.11", "2001:db8:1::11", "2001:db8:1::11"},
		{"a router on the fabric without IPv6: none", []lb.Link{eth0, fabric4}, "198.51.100.1", false, "198.51.100.11", "", ""},
		{"a router on the fabric that routes: the InternalIP", []lb.Link{eth0, fabric4}, "198.51.100.1", true, "192.0.2.11", "2001:db8::11", ""},
		{"a router elsewhere: the InternalIP", []lb.Link{eth0, fabric}, "203.0.113.1", false, "192.0.2.11", "2001:db8::11", "2001:db8:1::11"},
		{"a link-local router: the addresses of its link", []lb.Link{eth0, fabric}, "fe80::1%eth1", false, "198.51.100.11", "2001:db8:1::11", "2001:db8:1::11"},
		{"a link-local router on a link without others: none", []lb.Link{eth0, fabricLL}, "fe80::1%eth1", false, "", "", ""},
		{"a router on the node: the InternalIP", []lb.Link{eth0, lo}, "127.0.0.1", false, "192.0.2.11", "2001:db8::11", ""},
		{"a router at another loopback address: the InternalIP", []lb.Link{eth0, lo}, "127.0.0.2", false, "192.0.2.11", "2001:db8::11", ""},
		{"a router at an own address: the InternalIP", []lb.Link{eth0, fabric}, "198.51.100.11", false, "192.0.2.11", "2001:db8::11", "2001:db8:1::11"},
		{"nothing is known of the links: the InternalIP", nil, "198.51.100.1", false, "192.0.2.11", "2001:db8::11", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			w.node("n1").Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8::11")}
			w.OwnLinks, w.Peers[0].Address, w.Peers[0].MultiHop = test.links, netip.MustParseAddr(test.router), test.multiHop
			got := Compute(w).Sessions[0]
			text := func(addr netip.Addr) string {
				if !addr.IsValid() {
					return ""
				}
				return addr.String()
			}
			from := got.NextHopsFrom[netip.MustParseAddr("198.51.100.11")]
			if text(got.NextHop4) != test.four || text(got.NextHop6) != test.six || text(from.IPv6) != test.fromFabric {
				t.Errorf("next hops %s and %s, from the fabric %s", got.NextHop4, got.NextHop6, from.IPv6)
			}
		})
	}
}

func TestExplain_FamilyThatIsHeldBackIsNotAnnounced(t *testing.T) {
	w := cluster()
	w.Links = nil
	w.Peers[0].Families = []lb.Family{lb.IPv4, lb.IPv6}
	s := w.add("six", "2001:db8::5", everyNode...)
	w.Pools = lb.NewPools([]*lb.Pool{pool("wan", "2001:db8::/64", 2)})
	for _, n := range w.Nodes {
		n.Addresses = append(n.Addresses, netip.MustParseAddr("2001:db8:1::1"))
	}
	if got := NewExplainer(w).Explain(s); got.Reason != ReasonAnnounced.Name {
		t.Fatalf("before: %+v", got)
	}
	w.HeldBack = map[NodePeer][]lb.Family{}
	for _, n := range w.Nodes {
		w.HeldBack[NodePeer{n.Name, "router"}] = []lb.Family{lb.IPv6}
	}
	got := NewExplainer(w).Explain(s)
	if got.Reason != ReasonNoNode.Name || !strings.Contains(got.Nodes, "its BGP sessions do not carry this address family") {
		t.Errorf("held back: %+v", got)
	}
}
