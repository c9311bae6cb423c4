package bgp

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// nextHop is a next hop. An IPv6 one is a global address, a link-local address, or both (RFC 2545 section 3).
type nextHop struct{ addr, linkLocal netip.Addr }

// valid reports whether there is a next hop.
func (n nextHop) valid() bool { return n.addr.IsValid() || n.linkLocal.IsValid() }

// is4 reports whether it is an IPv4 address, which belongs into the NEXT_HOP attribute.
func (n nextHop) is4() bool { return n.addr.Is4() }

// nextHops are the next hops of a session by family.
type nextHops struct{ ipv4, ipv6 nextHop }

func (n *nextHops) of(family lb.Family) nextHop {
	if family == lb.IPv6 {
		return n.ipv6
	}
	return n.ipv4
}

// nextHopsOf returns the next hops of a session whose connection has the local address local. For the family that the
// connection uses, the next hop is that address: the router can reach it. For the other family, it is an address of the same
// interface, else what the plan says. IPv4 prefixes get an IPv6 next hop (RFC 8950) when the router accepts that (extended), and
// the session is unnumbered or its interface has no IPv4 address. A router on this node that is spoken to by a loopback address is
// told of the node's own addresses: it must refuse a loopback address (RFC 4271 section 6.3).
func nextHopsOf(s *settings, desired *announce.Session, local netip.Addr, extended bool) nextHops {
	end := cmp.Or(s.source, local).WithZone("")
	near := desired.NextHopsFrom[end]
	switch {
	case end.IsLoopback():
		return nextHops{nextHop{addr: desired.NextHop4}, nextHop{addr: desired.NextHop6}}
	case s.address.Is4():
		return nextHops{nextHop{addr: cmp.Or(end, desired.NextHop4)}, nextHop{addr: cmp.Or(near.IPv6, desired.NextHop6)}}
	}
	n := nextHops{ipv6: nextHop{addr: cmp.Or(end, desired.NextHop6)}}
	if end.IsLinkLocalUnicast() {
		n.ipv6 = nextHop{addr: desired.NextHop6, linkLocal: end}
	}
	n.ipv4 = nextHop{addr: near.IPv4}
	if extended && (!n.ipv4.valid() || s.unnumbered()) {
		n.ipv4 = n.ipv6
	}
	if !n.ipv4.valid() {
		n.ipv4 = nextHop{addr: desired.NextHop4}
	}
	return n
}

// heldBack are those of some families whose prefixes cannot be announced, because they have no next hop.
func (n *nextHops) heldBack(families []lb.Family) (list []lb.Family) {
	for _, family := range families {
		if next := n.of(family); !next.valid() {
			list = append(list, family)
		}
	}
	return list
}

// noNextHopText says that prefixes of a family are not announced because they have no next hop.
func noNextHopText(family lb.Family) string {
	return fmt.Sprintf("%s prefixes are not announced: the interface of this session has no %s address to be their next hop", family, family)
}
