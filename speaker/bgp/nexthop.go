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
// connection uses, the next hop is that address: the router can reach it. For the other family, it is the node's own
// address. IPv4 prefixes get an IPv6 next hop (RFC 8950) when the router accepts that (extended), and the session is
// unnumbered or the node has no IPv4 address.
func nextHopsOf(s *settings, desired *announce.Session, local netip.Addr, extended bool) nextHops {
	local = local.WithZone("")
	if s.address.Is4() {
		return nextHops{ipv4: nextHop{addr: cmp.Or(s.source, local, desired.NextHop4)}, ipv6: nextHop{addr: desired.NextHop6}}
	}
	var n nextHops
	if end := cmp.Or(s.source.WithZone(""), local); end.IsLinkLocalUnicast() {
		n.ipv6 = nextHop{addr: desired.NextHop6, linkLocal: end}
	} else {
		n.ipv6 = nextHop{addr: cmp.Or(end, desired.NextHop6)}
	}
	n.ipv4 = nextHop{addr: desired.NextHop4}
	if extended && (!n.ipv4.valid() || s.unnumbered()) {
		n.ipv4 = n.ipv6
	}
	return n
}

// noNextHopText says that prefixes of a family are not announced because they have no next hop.
func noNextHopText(family lb.Family) string {
	return fmt.Sprintf("%s prefixes are not announced: this node has no %s address to be their next hop", family, family)
}
