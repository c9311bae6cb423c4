package announce

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Detour is that answers are given on one interface of this node and the traffic back leaves by another one.
type Detour struct {
	// Subnet of the addresses, and of their clients; invalid: the addresses are in no subnet of the interface.
	Subnet netip.Prefix
	Family lb.Family
	// Answers and Leaves are interfaces: the one that answers, and that of the kernel's route; of several by which a default route leaves
	// all, with commas.
	Answers, Leaves string
	// Default: it is the default route that leaves elsewhere. OthersOnly: and the subnet's own clients have a route by the interface that
	// answers, so it concerns those beyond a router, if there are any.
	Default, OthersOnly bool
}

func (d Detour) compare(other Detour) int {
	return cmp.Or(d.Subnet.Compare(other.Subnet), cmp.Compare(d.Family, other.Family), strings.Compare(d.Answers, other.Answers),
		strings.Compare(d.Leaves, other.Leaves))
}

// detours finds where the kernel's route to the clients leaves by another interface of some links than those that answer. A
// link that policy routing cares for is left out.
func (s *segment) detours(links []lb.Link, interfaces []string) (found []Detour) {
	subnet, by := s.route(links)
	defaults := defaultRoute(links, s.family)
	for i := range links {
		link := &links[i]
		if !slices.Contains(interfaces, link.Name) || link.PolicyRouted {
			continue
		}
		d := Detour{Subnet: s.subnetOf(link), Family: s.family, Answers: link.Name, Leaves: strings.Join(defaults, ","), Default: true}
		routed := by >= 0 && link.OnSubnet(subnet)
		switch {
		case routed && i != by:
			found = append(found, Detour{Subnet: subnet, Family: s.family, Answers: link.Name, Leaves: links[by].Name})
		case len(defaults) > 0 && !slices.Contains(defaults, link.Name):
			d.OthersOnly = routed
			found = append(found, d)
		}
	}
	return found
}

// route is the smallest subnet of the segment to which the kernel has a route without a router, and the place of its link; -1: there is
// none.
func (s *segment) route(links []lb.Link) (subnet netip.Prefix, by int) {
	for _, subnet := range slices.Backward(s.subnets) {
		if by := slices.IndexFunc(links, func(l lb.Link) bool { return hasRoute(&l, subnet) }); by >= 0 {
			return subnet, by
		}
	}
	return netip.Prefix{}, -1
}

// subnetOf is the smallest subnet of the segment that a link is in; invalid: none.
func (s *segment) subnetOf(link *lb.Link) netip.Prefix {
	for _, subnet := range slices.Backward(s.subnets) {
		if link.OnSubnet(subnet) {
			return subnet
		}
	}
	return netip.Prefix{}
}

// defaultRoute are the names of the links by which the default route of a family leaves.
func defaultRoute(links []lb.Link, family lb.Family) (names []string) {
	for i := range links {
		if slices.Contains(links[i].DefaultRoute, family) {
			names = append(names, links[i].Name)
		}
	}
	return names
}
