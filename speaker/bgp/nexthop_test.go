package bgp

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestNextHop_ByTransportAndFamily(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	four, six := addr("192.0.2.9"), addr("2001:db8::9") // the node's own
	session := announce.Session{NextHop4: four, NextHop6: six}
	no4 := announce.Session{NextHop6: six}
	near4, near6 := addr("198.51.100.2"), addr("2001:db8:5::2") // those of the session's interface
	near := announce.Session{NextHop4: four, NextHop6: six, NextHopsFrom: map[netip.Addr]announce.NextHops{
		near4: {IPv4: near4, IPv6: near6}, near6: {IPv4: near4, IPv6: near6}, addr("2001:db8:6::2"): {IPv6: addr("2001:db8:6::2")},
	}}
	tests := map[string]struct {
		settings settings
		desired  announce.Session
		local    netip.Addr
		extended bool
		want     adjribout.NextHops
	}{
		"over IPv4: the address that the kernel dials from, and the node's own IPv6": {
			settings{address: addr("198.51.100.1")},
			session, addr("198.51.100.2"), false,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: addr("198.51.100.2")}, IPv6: adjribout.NextHop{Addr: six}},
		},
		"over IPv4: the source that is configured": {
			settings{address: addr("198.51.100.1"), source: addr("198.51.100.3")},
			session, addr("198.51.100.2"), false,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: addr("198.51.100.3")}, IPv6: adjribout.NextHop{Addr: six}},
		},
		"over IPv4: nothing for IPv6 where the node has none": {
			settings{address: addr("198.51.100.1")},
			announce.Session{},
			addr("198.51.100.2"), true,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: addr("198.51.100.2")}, IPv6: adjribout.NextHop{}},
		},
		"over IPv4: the IPv6 address of the same interface": {
			settings{address: addr("198.51.100.1")},
			near, near4, false,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: near4}, IPv6: adjribout.NextHop{Addr: near6}},
		},
		"over IPv6: the IPv4 address of the same interface": {
			settings{address: addr("2001:db8:5::1")},
			near, near6, true,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: near4}, IPv6: adjribout.NextHop{Addr: near6}},
		},
		"over IPv6: IPv6 for IPv4 where the interface has no IPv4, before what is elsewhere": {
			settings{address: addr("2001:db8:6::1")},
			near, addr("2001:db8:6::2"), true,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: addr("2001:db8:6::2")}, IPv6: adjribout.NextHop{Addr: addr("2001:db8:6::2")}},
		},
		"a router on the node, by a loopback address: the node's own": {
			settings{address: addr("127.0.0.1")},
			session, addr("127.0.0.1"), false,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: four}, IPv6: adjribout.NextHop{Addr: six}},
		},
		"a router on the node, by the IPv6 loopback address": {
			settings{address: addr("::1")},
			session, addr("::1"), true,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: four}, IPv6: adjribout.NextHop{Addr: six}},
		},
		"a router on the node, dialed from a loopback address": {
			settings{address: four, source: addr("127.0.0.1")},
			session, addr("127.0.0.1"), false,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: four}, IPv6: adjribout.NextHop{Addr: six}},
		},
		"over IPv6: the node's own IPv4 where the router takes no other": {
			settings{address: addr("2001:db8::1")},
			session, addr("2001:db8::2"), false,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: four}, IPv6: adjribout.NextHop{Addr: addr("2001:db8::2")}},
		},
		"over IPv6: IPv6 for IPv4 where the node has no IPv4 and the router takes that": {
			settings{address: addr("2001:db8::1")},
			no4, addr("2001:db8::2"), true,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: addr("2001:db8::2")}, IPv6: adjribout.NextHop{Addr: addr("2001:db8::2")}},
		},
		"over IPv6: nothing for IPv4 where the router does not take that": {
			settings{address: addr("2001:db8::1")},
			no4, addr("2001:db8::2"), false,
			adjribout.NextHops{IPv4: adjribout.NextHop{}, IPv6: adjribout.NextHop{Addr: addr("2001:db8::2")}},
		},
		"unnumbered: global and link-local, for both": {
			settings{address: addr("fe80::1%eth0")},
			session, addr("fe80::2%eth0"), true,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: six, LinkLocal: addr("fe80::2")}, IPv6: adjribout.NextHop{Addr: six, LinkLocal: addr("fe80::2")}},
		},
		"unnumbered: link-local alone where the node has no global address": {
			settings{address: addr("fe80::1%eth0")},
			announce.Session{},
			addr("fe80::2%eth0"), true,
			adjribout.NextHops{IPv4: adjribout.NextHop{LinkLocal: addr("fe80::2")}, IPv6: adjribout.NextHop{LinkLocal: addr("fe80::2")}},
		},
		"unnumbered: the node's own IPv4 where the router takes no other": {
			settings{address: addr("fe80::1%eth0")},
			session, addr("fe80::2%eth0"), false,
			adjribout.NextHops{IPv4: adjribout.NextHop{Addr: four}, IPv6: adjribout.NextHop{Addr: six, LinkLocal: addr("fe80::2")}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := nextHopsOf(&test.settings, &test.desired, test.local, test.extended); got != test.want {
				t.Errorf("next hops %v, want %v", got, test.want)
			}
		})
	}
}

// A router that has groups of next hops withdraws a node's prefixes at once where they share one.
func TestNextHop_IsOneForAllPrefixesOfAFamily(t *testing.T) {
	t.Parallel()
	const each = 10_000
	at := newHost(t)
	session := local(t, "tor", at, func(s *announce.Session) {
		s.Families, s.NextHop6 = []lb.Family{lb.IPv4, lb.IPv6}, netip.MustParseAddr("2001:db8::1")
		s.Paths = append(many(each, false, med(1)), many(each, true, med(2))...)
	})
	router := startRouterWith(t, at, routerSettings(nil))
	start(t, session)
	netnstest.Eventually(t, "the router has all prefixes, with one next hop for each family", func() error {
		router.mu.Lock()
		defer router.mu.Unlock()
		seen := map[netip.Addr]int{}
		for _, hop := range router.hops {
			seen[hop]++
		}
		if len(seen) != 2 || seen[session.Source] != each || seen[session.NextHop6] != each {
			return fmt.Errorf("next hops and how many prefixes have them: %v", seen)
		}
		return nil
	})
}
