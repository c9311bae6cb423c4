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

// OfServiceProxy reports whether a service proxy puts the addresses of all Services on the link, on every node: kube-proxy in
// the mode ipvs, or kube-router. They are no node's own.
func (l *Link) OfServiceProxy() bool { return l.Name == "kube-ipvs0" || l.Name == "kube-dummy-if" }

// OnLink reports whether one of the link's subnets contains an address.
func (l *Link) OnLink(addr netip.Addr) bool {
	return slices.ContainsFunc(l.Addresses, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}
