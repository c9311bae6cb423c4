package adjribout

import (
	"fmt"
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// NextHop is a next hop. An IPv6 one is a global address, a link-local address, or both (RFC 2545 section 3).
type NextHop struct{ Addr, LinkLocal netip.Addr }

// Valid reports whether there is a next hop.
func (n NextHop) Valid() bool { return n.Addr.IsValid() || n.LinkLocal.IsValid() }

// Is4 reports whether it is an IPv4 address, which belongs into the NEXT_HOP attribute.
func (n NextHop) Is4() bool { return n.Addr.Is4() }

// Addresses of the next hop, the global one first.
func (n NextHop) Addresses() (list []netip.Addr) {
	for _, addr := range [...]netip.Addr{n.Addr, n.LinkLocal} {
		if addr.IsValid() {
			list = append(list, addr)
		}
	}
	return list
}

// Append appends an IPv6 next hop after its length: 16 bytes for one address, 32 for a global and a link-local one.
func (n NextHop) Append(out []byte) []byte {
	start := len(out)
	out = append(out, 0)
	for _, addr := range n.Addresses() {
		bytes := addr.As16()
		out = append(out, bytes[:]...)
	}
	out[start] = byte(len(out) - start - 1) //nolint:gosec // At most 32.
	return out
}

// NextHops are the next hops of a session by family.
type NextHops struct{ IPv4, IPv6 NextHop }

// Of a family.
func (n *NextHops) Of(family lb.Family) NextHop {
	if family == lb.IPv6 {
		return n.IPv6
	}
	return n.IPv4
}

// Missing are those of some families whose prefixes cannot be announced, because they have no next hop.
func (n *NextHops) Missing(families []lb.Family) (list []lb.Family) {
	for _, family := range families {
		if next := n.Of(family); !next.Valid() {
			list = append(list, family)
		}
	}
	return list
}

// noNextHop says that prefixes of a family are not announced because they have no next hop.
func noNextHop(family lb.Family) string {
	return fmt.Sprintf("%s prefixes are not announced: the interface of this session has no %s address to be their next hop", family, family)
}
