package lb

import (
	"net/netip"
	"slices"
)

// Link is a network interface of a node.
type Link struct {
	Name  string
	Index int
	// Up: the interface is administratively up and has a carrier.
	Up bool
	// MAC address; empty when the interface has no Ethernet address.
	MAC string
	// Enslaved: the interface belongs to a bridge or bond, which is used in its place.
	Enslaved bool
	// NoARP: the interface has no neighbors to answer, as a loopback or point-to-point interface or one with the flag NOARP.
	NoARP bool
	// Addresses with the length of their on-link prefix.
	Addresses []netip.Prefix
}

// OnLink reports whether one of the link's subnets contains an address.
func (l *Link) OnLink(addr netip.Addr) bool {
	return slices.ContainsFunc(l.Addresses, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}
