package announce

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// onePerSegment returns one of those links that lead to one segment, as they have a subnet in common: the one that the kernel's route
// to it names. The address in question is in none of their subnets, so all of them would answer for it, and their neighbors hear two
// answers of one node. Subnets of the family of the address come first.
func onePerSegment(family lb.Family, links []*lb.Link) []*lb.Link {
	var chosen []*lb.Link
	for len(links) > 0 {
		here := links[:1:1]
		subnets := subnetsOf(family, here)
		// Each that is found may have more subnets, by which others are on the segment as well.
		for found := linksOn(subnets, links); len(found) > len(here); found = linksOn(subnets, links) {
			here, subnets = found, subnetsOf(family, found)
		}
		chosen = append(chosen, byRoute(subnets, slices.Clone(here)))
		links = slices.DeleteFunc(slices.Clone(links), func(l *lb.Link) bool { return slices.Contains(here, l) })
	}
	return chosen
}

// withoutSegmentsOf returns those of a node's interfaces, by name, that are on no segment of some others of them.
func withoutSegmentsOf(links []lb.Link, interfaces, others []string) []string {
	var taken []*lb.Link
	for i := range links {
		if slices.Contains(others, links[i].Name) {
			taken = append(taken, &links[i])
		}
	}
	subnets := subnetsOf(lb.IPv4, taken)
	return slices.DeleteFunc(slices.Clone(interfaces), func(name string) bool {
		return slices.ContainsFunc(links, func(l lb.Link) bool { return l.Name == name && len(linksOn(subnets, []*lb.Link{&l})) > 0 })
	})
}

// subnetsOf are the subnets of some links by which a segment is known: those of the family last, and of each the smallest last. A lone
// address is not a subnet, and every link has the link-local one.
func subnetsOf(family lb.Family, links []*lb.Link) []netip.Prefix {
	var subnets []netip.Prefix
	add := func(subnet netip.Prefix) {
		if !subnet.IsSingleIP() && subnet.Addr().IsGlobalUnicast() && !slices.Contains(subnets, subnet) {
			subnets = append(subnets, subnet)
		}
	}
	for _, link := range links {
		for _, prefix := range link.Addresses {
			add(prefix.Masked())
		}
		for _, subnet := range link.Routes {
			add(subnet)
		}
	}
	slices.SortFunc(subnets, func(a, b netip.Prefix) int {
		return cmp.Or(ofFamily(family, a)-ofFamily(family, b), cmp.Compare(a.Bits(), b.Bits()), a.Compare(b))
	})
	return subnets
}

// ofFamily is 1 for a subnet of a family, else 0.
func ofFamily(family lb.Family, subnet netip.Prefix) int {
	if lb.FamilyOf(subnet.Addr()) == family {
		return 1
	}
	return 0
}

// linksOn are those of some links that are in one of these subnets.
func linksOn(subnets []netip.Prefix, links []*lb.Link) (found []*lb.Link) {
	for _, link := range links {
		if slices.ContainsFunc(subnets, link.OnSubnet) {
			found = append(found, link)
		}
	}
	return found
}

func linkNames(links []*lb.Link) []string {
	names := make([]string, len(links))
	for i, link := range links {
		names[i] = link.Name
	}
	return names
}
