package announce

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Detour is that answers are given on one interface of this node and the traffic back leaves by another one.
type Detour struct {
	// Subnet of the addresses, and of their clients.
	Subnet netip.Prefix
	// Answers and Leaves are interfaces: the one that answers, and that of the kernel's route to the subnet.
	Answers, Leaves string
}

// detours finds where the kernel's route to the subnet leaves by another interface of some links than those that answer. A
// link that policy routing cares for is left out.
func (s *segment) detours(links []lb.Link, interfaces []string) []Detour {
	for _, subnet := range slices.Backward(s.subnets) {
		by := slices.IndexFunc(links, func(l lb.Link) bool { return hasRoute(&l, subnet) })
		if by < 0 {
			continue
		}
		var found []Detour
		for i := range links {
			if link := &links[i]; i != by && slices.Contains(interfaces, link.Name) && link.OnSubnet(subnet) && !link.PolicyRouted {
				found = append(found, Detour{subnet, link.Name, links[by].Name})
			}
		}
		return found
	}
	return nil
}
