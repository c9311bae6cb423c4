package bgp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// node is the other end of a cable as a node that runs a router of its own, which peers with a ToR at our end.
type node struct {
	*cable
	tor *router
}

func newNode(t *testing.T) *node {
	t.Helper()
	c := newCable(t)
	n := &node{cable: c, tor: startRouterWith(t, c.Ours, routerSettings(func(s *settings) { s.myASN = 64700 }))}
	c.Other.Run(t, "ip", "addr", "add", "203.0.113.7/32", "dev", "lo")
	return n
}

// config is a configuration with the node's addresses and the ToR's filled in.
func (n *node) config(text string) string {
	return strings.NewReplacer("NODE6", n.Theirs6.String(), "NODE", n.Theirs.String(), "TOR6", n.Ours6.String(), "TOR", n.Ours.String()).Replace(text)
}

// speaker runs a Speaker on the node, with sessions with the node's own router at these addresses.
func (n *node) speaker(t *testing.T, routers ...string) *running {
	t.Helper()
	var sessions []announce.Session
	for _, router := range routers {
		addr := netip.MustParseAddr(n.config(router))
		sessions = append(sessions, n.session(func(s *announce.Session) {
			s.Name, s.Address, s.RouterID, s.Families = router, addr, netip.MustParseAddr("203.0.113.7"), []lb.Family{lb.FamilyOf(addr)}
			s.NextHop4, s.NextHop6 = n.Theirs, n.Theirs6
			if addr == n.Theirs { // A router that does not take the node's own address for a neighbor.
				s.Source = netip.MustParseAddr("127.0.0.1")
			}
			s.NextHopsFrom = map[netip.Addr]announce.NextHops{n.Theirs: {IPv4: n.Theirs, IPv6: n.Theirs6}}
		}, path("198.19.0.1/32"), path("2001:db8:ffff::1/128")))
	}
	return startBy(t, func(ctx context.Context, s *settings) (conn net.Conn, err error) {
		n.Other.Do(t, func() { conn, err = dialRouter(ctx, s) })
		return conn, err
	}, sessions...)
}

// torHas waits until the ToR has prefixes with next hops.
func (n *node) torHas(t *testing.T, want map[string]netip.Addr) {
	t.Helper()
	netnstest.Eventually(t, "the ToR is told of the node", func() error {
		n.tor.mu.Lock()
		defer n.tor.mu.Unlock()
		for prefix, hop := range want {
			if got := n.tor.hops[netip.MustParsePrefix(prefix)]; got != hop {
				return fmt.Errorf("the next hop of %s is %s, not %s", prefix, got, hop)
			}
		}
		return nil
	})
}

// The lines are those of docs/bgp-peers.md.
func TestOnNode_BIRDTakesItAndTellsTheToR(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	netnstest.StartBIRD(t, n.Other, n.config(`router id NODE;
protocol device {}
protocol direct { ipv4; ipv6; }
protocol kernel { ipv4 { import none; export where proto != "daymark4"; }; }
protocol kernel { ipv6 { import none; export where proto != "daymark6"; }; }
protocol bgp tor {
	local NODE as 64513;
	neighbor TOR as 64700;
	ipv4 { import none; export where proto = "daymark4"; };
	ipv6 { import none; export where proto = "daymark6"; next hop address NODE6; };
}
protocol bgp daymark4 {
	local 127.0.0.1 as 64513;
	neighbor 127.0.0.1 as 64512;
	multihop;
	passive;
	ipv4 { import where net ~ [ 198.19.0.0/16+ ]; export none; };
}
protocol bgp daymark6 {
	local ::1 as 64513;
	neighbor ::1 as 64512;
	multihop;
	passive;
	ipv6 { import where net ~ [ 2001:db8:ffff::/48+ ]; export none; };
}
`))
	speaker := n.speaker(t, "127.0.0.1", "::1")
	n.torHas(t, map[string]netip.Addr{"198.19.0.1/32": n.Theirs, "2001:db8:ffff::1/128": n.Theirs6})
	for _, name := range []string{"127.0.0.1", "::1"} {
		if s := speaker.up(name); s.LastError != "" || len(s.HeldBack) > 0 {
			t.Errorf("status %+v", s)
		}
	}
	if routes := n.Other.Run(t, "ip", "route", "show", "table", "all"); strings.Contains(routes, "198.19.0.1 ") {
		t.Errorf("the kernel has a route to the address: %s", routes)
	}
}

func TestOnNode_FRRTakesItAndTellsTheToR(t *testing.T) {
	t.Parallel()
	for name, router := range map[string]string{"at a loopback address": "127.0.0.1", "at the node's own address": "NODE"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			neighbor, lines := "127.0.0.1", " neighbor 127.0.0.1 update-source lo\n"
			if router == "NODE" {
				lines = ""
			}
			f := netnstest.NewFRR(t, n.Other)
			f.Start("zebra", "")
			f.Start("bgpd", n.config(`ip prefix-list daymark seq 10 permit 198.19.0.0/16 le 32
route-map from-daymark permit 10
 match ip address prefix-list daymark
 set ip next-hop TOR
route-map to-tor permit 10
 match ip address prefix-list daymark
 set ip next-hop peer-address
router bgp 64513
 bgp router-id NODE
 neighbor `+neighbor+` remote-as 64512
 neighbor `+neighbor+` passive
`+lines+` neighbor TOR remote-as 64700
 address-family ipv4 unicast
  neighbor `+neighbor+` route-map from-daymark in
  neighbor TOR route-map to-tor out
`))
			speaker := n.speaker(t, router)
			n.torHas(t, map[string]netip.Addr{"198.19.0.1/32": n.Theirs})
			if s := speaker.up(router); s.LastError != "" {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestSource_LoopbackOverSeveralHops(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	loopback := newHost(t)
	c.Other.Run(t, "ip", "route", "add", loopback.String(), "via", c.Ours.String())
	neighbor := "neighbor " + loopback.String()
	// Another program of the node, as Calico, has a session from the node's own address.
	router := newFRR(t, c, 64513, neighbor+" remote-as 64512", neighbor+" passive", neighbor+" ebgp-multihop 2", "neighbor OURS remote-as 64512", "neighbor OURS passive")
	router.zebra()
	router.start()
	first := start(t, c.session(func(s *announce.Session) { s.Families = []lb.Family{lb.IPv4} }, path("198.19.0.2/32")))
	second := start(t, c.session(func(s *announce.Session) {
		s.Source, s.RouterID, s.MultiHop, s.Families = loopback, loopback, true, []lb.Family{lb.IPv4}
	}, path("198.19.0.1/32")))
	first.up("tor")
	second.up("tor")
	router.has("198.19.0.1/32", func(r *route) error {
		if !r.Valid || r.hop() != loopback.String() {
			return fmt.Errorf("next hops %+v, valid: %t", r.Nexthops, r.Valid)
		}
		return nil
	})
	router.has("198.19.0.2/32", nil)
}
