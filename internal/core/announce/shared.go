package announce

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// SharedAddresses are the addresses of another node, given its links, at which this one reaches it without a router. Those that
// Kubernetes knows come first. Outer are the OuterLinks of this node.
func SharedAddresses(own, others []lb.Link, outer []string, known []netip.Addr) (shared []handover.Via) {
	for i := range others {
		if !usable(&others[i]) {
			continue
		}
		for _, prefix := range others[i].Addresses {
			links := sharedBy(own, prefix, func(name string) bool {
				return !isInternal(name) || slices.Contains(outer, name) || slices.Contains(known, prefix.Addr())
			})
			if prefix.Addr().IsGlobalUnicast() && len(links) > 0 {
				shared = append(shared, handover.Via{Prefix: prefix, Links: links})
			}
		}
	}
	slices.SortStableFunc(shared, func(a, b handover.Via) int {
		if first, second := slices.Contains(known, a.Prefix.Addr()), slices.Contains(known, b.Prefix.Addr()); first != second {
			if first {
				return -1
			}
			return 1
		}
		return a.Prefix.Addr().Compare(b.Prefix.Addr())
	})
	return shared
}

// NeighborAddresses are those of the addresses that Kubernetes has of another node at which this one reaches it without a router, by the
// subnets of its own links: what the other's links are is not known. Outer are the OuterLinks of this node.
func NeighborAddresses(own []lb.Link, outer []string, known []netip.Addr) (vias []handover.Via) {
	for _, addr := range known {
		for i := range own {
			at := slices.IndexFunc(own[i].Addresses, func(p netip.Prefix) bool { return p.Contains(addr) })
			if at < 0 {
				continue
			}
			prefix := netip.PrefixFrom(addr, own[i].Addresses[at].Bits())
			links := sharedBy(own, prefix, func(name string) bool { return !isInternal(name) || slices.Contains(outer, name) })
			if len(links) > 0 {
				vias = append(vias, handover.Via{Prefix: prefix, Links: links})
				break
			}
		}
	}
	return vias
}

// OuterLinks are those links of a node, by name, that lead to other nodes though they are called like those to its own containers: an
// advertisement names them, or Kubernetes has an address on them, such as that of the bridge br-eno1 or br-ex.
func OuterLinks(links []lb.Link, advertisements []*lb.L2Advertisement, known []netip.Addr) (names []string) {
	for i := range links {
		link := &links[i]
		if isInternal(link.Name) && (isNamed(link, advertisements) ||
			slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return slices.Contains(known, p.Addr()) })) {
			names = append(names, link.Name)
		}
	}
	return names
}

// sharedBy are the links of this node, by name, that are in the subnet of another node's address and lead out of the node. Networks that each
// node has for itself, such as those of container engines, are alike on all nodes and lead nowhere.
func sharedBy(own []lb.Link, other netip.Prefix, leadsOut func(link string) bool) (names []string) {
	for i := range own {
		link := &own[i]
		if usable(link) && leadsOut(link.Name) && link.OnSubnet(other.Masked()) && !other.IsSingleIP() &&
			!slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return p.Addr() == other.Addr() }) {
			names = append(names, link.Name)
		}
	}
	return names
}
