package announce

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// SharedAddresses are the addresses of another node, given its links, at which this one reaches it without a router, one of each
// family; invalid where there is none. Those that Kubernetes knows come first.
func SharedAddresses(own, others []lb.Link, known []netip.Addr) (ipv4, ipv6 netip.Addr) {
	var shared []netip.Addr
	for i := range others {
		if !usable(&others[i]) {
			continue
		}
		for _, prefix := range others[i].Addresses {
			if prefix.Addr().IsGlobalUnicast() && sharesSegment(own, prefix) {
				shared = append(shared, prefix.Addr())
			}
		}
	}
	slices.SortFunc(shared, func(a, b netip.Addr) int {
		if first, second := slices.Contains(known, a), slices.Contains(known, b); first != second {
			if first {
				return -1
			}
			return 1
		}
		return a.Compare(b)
	})
	for _, addr := range shared {
		switch {
		case addr.Is4() && !ipv4.IsValid():
			ipv4 = addr
		case addr.Is6() && !ipv6.IsValid():
			ipv6 = addr
		}
	}
	return ipv4, ipv6
}

// sharesSegment reports whether a link of this node is in the subnet of another node's address. Networks that each node has for
// itself, such as those of container engines, are alike on all nodes and lead nowhere.
func sharesSegment(own []lb.Link, other netip.Prefix) bool {
	for i := range own {
		link := &own[i]
		if usable(link) && !isInternal(link.Name) && link.OnSubnet(other.Masked()) && !other.IsSingleIP() &&
			!slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return p.Addr() == other.Addr() }) {
			return true
		}
	}
	return false
}
