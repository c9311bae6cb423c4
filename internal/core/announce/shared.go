package announce

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// SharedAddresses are the addresses of another node, given its links, at which this one reaches it without a router. Those that
// Kubernetes knows come first.
func SharedAddresses(own, others []lb.Link, known []netip.Addr) (shared []handover.Via) {
	for i := range others {
		if !usable(&others[i]) {
			continue
		}
		for _, prefix := range others[i].Addresses {
			if links := sharedBy(own, prefix); prefix.Addr().IsGlobalUnicast() && len(links) > 0 {
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

// sharedBy are the links of this node, by name, that are in the subnet of another node's address. Networks that each node has for
// itself, such as those of container engines, are alike on all nodes and lead nowhere.
func sharedBy(own []lb.Link, other netip.Prefix) (names []string) {
	for i := range own {
		link := &own[i]
		if usable(link) && !isInternal(link.Name) && link.OnSubnet(other.Masked()) && !other.IsSingleIP() &&
			!slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return p.Addr() == other.Addr() }) {
			names = append(names, link.Name)
		}
	}
	return names
}
