package lb

import (
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// NodeNetwork is what a node's own network uses, as its speaker reports. No Service may have any of it.
type NodeNetwork struct {
	Node string
	// Addresses of the node's interfaces, with the length of their subnet.
	Addresses []netip.Prefix
	// More are ranges with the addresses for which the report has no room; they may cover others.
	More []Range
	// Gateways are the node's default gateways.
	Gateways []netip.Addr
}

// ParseNodeNetwork parses what a Speaker object says of its node's network. What cannot be parsed is left out.
func ParseNodeNetwork(from *v1beta1.Speaker) NodeNetwork {
	n := NodeNetwork{Node: from.Name}
	for _, text := range from.Status.Network.Addresses {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			n.Addresses = append(n.Addresses, prefix)
		}
	}
	for _, text := range from.Status.Network.MoreAddresses {
		if r, err := ParseRange(text); err == nil {
			n.More = append(n.More, r)
		}
	}
	for _, text := range from.Status.Network.Gateways {
		if addr, err := ParseAddr(text); err == nil {
			n.Gateways = append(n.Gateways, addr)
		}
	}
	return n
}

// Has reports whether an interface of the node has an address, as far as it is known.
func (n *NodeNetwork) Has(addr netip.Addr) bool {
	return slices.ContainsFunc(n.Addresses, func(p netip.Prefix) bool { return p.Addr() == addr }) ||
		slices.ContainsFunc(n.More, func(r Range) bool { return r.Contains(addr) })
}

// NetworkAddresses returns the addresses of a subnet that no host may have: the network and the broadcast address of an IPv4
// subnet (RFC 1122 section 3.2.1.3), the subnet-router anycast address of an IPv6 subnet (RFC 4291 section 2.6.1). A subnet of
// one or two addresses has none (RFC 3021, RFC 6164).
func NetworkAddresses(subnet netip.Prefix) []netip.Addr {
	subnet = subnet.Masked()
	if subnet.Addr().BitLen()-subnet.Bits() < 2 {
		return nil
	}
	if subnet.Addr().Is4() {
		return []netip.Addr{subnet.Addr(), RangeOf(subnet).To}
	}
	return []netip.Addr{subnet.Addr()}
}

// NamedRange is a range of the cluster's own network, with the name of what uses it.
type NamedRange struct {
	Range
	Name string
}

// ParseServiceCIDR returns the ranges of a ServiceCIDR object, from which the cluster IPs of Services come.
func ParseServiceCIDR(from *networkingv1.ServiceCIDR) []NamedRange {
	var ranges []NamedRange
	for _, text := range from.Spec.CIDRs {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			ranges = append(ranges, NamedRange{RangeOf(prefix), "ServiceCIDR " + from.Name})
		}
	}
	return ranges
}

// SpecialRanges are those whose addresses mean something else than one host that others reach (RFC 6890, RFC 5771, RFC 4291).
var SpecialRanges = specialRanges()

func specialRanges() []NamedRange {
	var ranges []NamedRange
	for _, special := range [][2]string{
		{"0.0.0.0/8", "unspecified"},
		{"127.0.0.0/8", "loopback"},
		{"169.254.0.0/16", "link-local"},
		{"224.0.0.0/4", "multicast"},
		{"255.255.255.255/32", "broadcast"},
		{"::/128", "unspecified"},
		{"::1/128", "loopback"},
		{"fe80::/10", "link-local"},
		{"ff00::/8", "multicast"},
	} {
		ranges = append(ranges, NamedRange{RangeOf(netip.MustParsePrefix(special[0])), special[1]})
	}
	return ranges
}

// ReportedLinks are the links of a node that its speaker reports: they are up, and answer the families that it says and no
// other. false: it reports none, as a speaker of an earlier version.
func ReportedLinks(from *v1beta1.Speaker) ([]Link, bool) {
	var links []Link
	for _, reported := range from.Status.Network.Interfaces {
		link := Link{Name: reported.Name, Up: true}
		for _, family := range []Family{IPv4, IPv6} {
			if !slices.Contains(reported.Families, v1beta1.AddressFamily(family.String())) {
				link.Unable = append(link.Unable, family)
			}
		}
		if !slices.Contains(link.Unable, IPv6) {
			link.Addresses = []netip.Prefix{linkLocalSubnet}
		}
		links = append(links, link)
	}
	return links, len(links) > 0
}

// linkLocalSubnet stands for the link-local address that a link with IPv6 has.
var linkLocalSubnet = netip.MustParsePrefix("fe80::/64")
