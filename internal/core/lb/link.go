package lb

import (
	"net/netip"
	"slices"
)

// Link is a network interface of this node.
type Link struct {
	Name  string
	Index int
	// Up: administratively up and with a carrier.
	Up bool
	// MAC address; empty on links that have none of the Ethernet kind.
	MAC string
	// Enslaved: a member of a bridge or bond, whose master speaks for it.
	Enslaved bool
	// Loopback or otherwise without neighbours to answer (point to point, NOARP).
	NoARP bool
	// Addresses with the length of their on-link prefix.
	Addresses []netip.Prefix
}

// OnLink reports whether one of the link's subnets contains an address.
func (l *Link) OnLink(addr netip.Addr) bool {
	return slices.ContainsFunc(l.Addresses, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}
