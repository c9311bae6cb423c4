package lb

import (
	"net/netip"
	"slices"
)

// Link is a network interface of a node.
type Link struct {
	Name  string
	Index int
	// Up: the interface is administratively up, has a carrier and is in use. One that waits for 802.1X has a carrier and is not
	// in use (RFC 2863, dormant).
	Up bool
	// Dormant: its port waits for 802.1X, so it is not up. Known of a node's own links only.
	Dormant bool
	// MAC address; empty when the interface has no Ethernet address.
	MAC string
	// PermanentMAC is the MAC address that a member of a bond has by itself, if that is another one: all members of a bond have the
	// bond's, and some bonds answer with those of their members. Empty: there is none.
	PermanentMAC string
	// Enslaved: the interface belongs to a bridge or bond, which is used in its place.
	Enslaved bool
	// NoARP: the interface has no neighbors to answer, as a loopback or point-to-point interface or one with the flag NOARP.
	NoARP bool
	// Addresses with the length of their on-link prefix. One that waits for Duplicate Address Detection (RFC 4862) is among them: it is
	// about to be the node's.
	Addresses []netip.Prefix
	// Duplicates are addresses that the link was given and does not use, since another host was found to have them. Known of a
	// node's own links only.
	Duplicates []netip.Prefix
	// NotPreferred are those of Addresses that other hosts should not be told of: temporary (RFC 8981), deprecated, or not yet
	// usable (RFC 4862). Known of a node's own links only.
	NotPreferred []netip.Addr
	// Routes are the subnets that the node's kernel reaches through the link without a router. Of several links with a route
	// to one subnet only the one that the kernel uses has it.
	Routes []netip.Prefix
	// Local are prefixes of which the kernel takes every address for its own, by a local route through the link, beyond Addresses: it
	// answers ARP for them on all links. IPv4 alone: for an IPv6 address that no interface has, no kernel answers.
	Local []netip.Prefix
	// PolicyRouted: another routing table than the main one leads through the link. Known of a node's own links only.
	PolicyRouted bool
	// DefaultRoute are the families whose default route, the one of the main table that the kernel uses, leaves by the link. Known of a
	// node's own links only.
	DefaultRoute []Family
	// AnsweredElsewhere: the kernel answers ARP requests for the link's addresses on its other links, too. Known of a node's own
	// links of service proxies only.
	AnsweredElsewhere bool
	// Unable are the families for which the node cannot answer on the link, whatever its state.
	Unable []Family
}

// Answers reports whether neighbors can ask on the link for an address of a family and reach it there. Without a link-local
// address, as where IPv6 is disabled, a node speaks no IPv6 on a link (RFC 4861 section 4.3 needs one).
func (l *Link) Answers(family Family) bool {
	return l.Up && !l.NoARP && !l.Enslaved && !slices.Contains(l.Unable, family) &&
		(family == IPv4 || slices.ContainsFunc(l.Addresses, isLinkLocal6))
}

func isLinkLocal6(p netip.Prefix) bool { return p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() }

// OnSubnet reports whether the link is in a subnet, by an address or by a route.
func (l *Link) OnSubnet(subnet netip.Prefix) bool {
	return slices.Contains(l.Routes, subnet) || slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Masked() == subnet })
}

// OfServiceProxy reports whether a service proxy puts the addresses of all Services on the link, on every node: kube-proxy in
// the mode ipvs, or kube-router. They are no node's own.
func (l *Link) OfServiceProxy() bool { return l.Name == "kube-ipvs0" || l.Name == "kube-dummy-if" }

// OnLink reports whether one of the link's subnets contains an address.
func (l *Link) OnLink(addr netip.Addr) bool {
	return slices.ContainsFunc(l.Addresses, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}
