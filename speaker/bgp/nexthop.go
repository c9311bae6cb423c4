package bgp

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// hop is a next hop. An IPv6 one may be a global address, a link-local one, or both (RFC 2545 section 3).
type hop struct{ addr, linkLocal netip.Addr }

// valid tells whether there is any.
func (h hop) valid() bool { return h.addr.IsValid() || h.linkLocal.IsValid() }

// is4 tells whether it is an IPv4 address, which goes into the NEXT_HOP attribute.
func (h hop) is4() bool { return h.addr.Is4() }

// hops of a session, by family.
type hops struct{ four, six hop }

func (h *hops) of(family lb.Family) hop {
	if family == lb.IPv6 {
		return h.six
	}
	return h.four
}

// nextHops are those of the paths of a session whose own end has address local. For the family that the session runs over
// it is that end, which the router can reach whatever other addresses the node has; for the other family it is the node's
// own address. IPv4 prefixes have an IPv6 next hop (RFC 8950) where the router takes that and the session is unnumbered or
// the node has no IPv4 address.
func nextHops(s *settings, desired *announce.Session, local netip.Addr, extended bool) hops {
	local = local.WithZone("")
	if s.address.Is4() {
		return hops{four: hop{addr: cmp.Or(s.source, local, desired.NextHop4)}, six: hop{addr: desired.NextHop6}}
	}
	var h hops
	if end := cmp.Or(s.source.WithZone(""), local); end.IsLinkLocalUnicast() {
		h.six = hop{addr: desired.NextHop6, linkLocal: end}
	} else {
		h.six = hop{addr: cmp.Or(end, desired.NextHop6)}
	}
	h.four = hop{addr: desired.NextHop4}
	if extended && (!h.four.valid() || s.unnumbered()) {
		h.four = h.six
	}
	return h
}

// homeless says that prefixes of a family cannot be announced because they have no next hop.
func homeless(family lb.Family) string {
	return fmt.Sprintf("%s prefixes are not announced: this node has no %s address to be their next hop", family, family)
}
