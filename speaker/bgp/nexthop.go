package bgp

import (
	"cmp"
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// nextHopsOf returns the next hops of a session whose connection has the local address local. For the family that the
// connection uses, the next hop is that address: the router can reach it. For the other family, it is an address of the same
// interface, else what the plan says. IPv4 prefixes get an IPv6 next hop (RFC 8950) when the router accepts that (extended), and
// the session is unnumbered or its interface has no IPv4 address. A router on this node that is spoken to by a loopback address is
// told of the node's own addresses: it must refuse a loopback address (RFC 4271 section 6.3).
func nextHopsOf(s *settings, desired *announce.Session, local netip.Addr, extended bool) adjribout.NextHops {
	end := cmp.Or(s.source, local).WithZone("")
	near := desired.NextHopsFrom[end]
	switch {
	case end.IsLoopback():
		return adjribout.NextHops{IPv4: adjribout.NextHop{Addr: desired.NextHop4}, IPv6: adjribout.NextHop{Addr: desired.NextHop6}}
	case s.address.Is4():
		return adjribout.NextHops{
			IPv4: adjribout.NextHop{Addr: cmp.Or(end, desired.NextHop4)}, IPv6: adjribout.NextHop{Addr: cmp.Or(near.IPv6, desired.NextHop6)},
		}
	}
	n := adjribout.NextHops{IPv6: adjribout.NextHop{Addr: cmp.Or(end, desired.NextHop6)}}
	if end.IsLinkLocalUnicast() {
		n.IPv6 = adjribout.NextHop{Addr: desired.NextHop6, LinkLocal: end}
	}
	n.IPv4 = adjribout.NextHop{Addr: near.IPv4}
	if extended && (!n.IPv4.Valid() || s.unnumbered()) {
		n.IPv4 = n.IPv6
	}
	if !n.IPv4.Valid() {
		n.IPv4 = adjribout.NextHop{Addr: desired.NextHop4}
	}
	return n
}
