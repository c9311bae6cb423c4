package announce

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// reachability is how well a node is connected to the segment of an address; higher is better.
type reachability uint8

const (
	// unreachable: it has no interface to announce on.
	unreachable reachability = iota
	// reachable: it has one that the advertisements select, and no address in the same subnet.
	reachable
	// onSubnet: it has one with an address in the same subnet.
	onSubnet
)

// segment is what those addresses have in common that are in the same subnets of the nodes. There are few segments, and
// what is worked out for one holds for all its addresses.
type segment struct {
	family lb.Family
	// subnets of nodes that contain the addresses, the largest first.
	subnets []netip.Prefix
	// connections is a cache.
	connections map[nodeKey]connection
}

// nodeKey is a node, by its index, and the advertisements in question.
type nodeKey struct {
	matches advertisementSet
	node    int
}

// connection of a node to a segment.
type connection struct {
	// interfaces to answer on, sorted.
	interfaces   []string
	reachability reachability
}

// segments sorts addresses by the subnets of all nodes.
type segments struct {
	subnets map[netip.Prefix]bool
	// lengths of subnets that occur, by family.
	lengths map[lb.Family][]int
	byKey   map[string]*segment
	// last is the segment of the address before: in order of address most have the same. found is memory for the subnets of an
	// address.
	last  *segment
	found []netip.Prefix
}

func newSegments(links map[string][]lb.Link) *segments {
	s := &segments{subnets: map[netip.Prefix]bool{}, lengths: map[lb.Family][]int{}, byKey: map[string]*segment{}}
	for _, node := range links {
		for i := range node {
			if !usable(&node[i]) {
				continue
			}
			for _, prefix := range node[i].Addresses {
				s.subnets[prefix.Masked()] = true
			}
			for _, subnet := range node[i].Routes {
				s.subnets[subnet] = true
			}
		}
	}
	// order does not matter: the lengths are sorted below.
	for prefix := range s.subnets {
		family := lb.FamilyOf(prefix.Addr())
		if !slices.Contains(s.lengths[family], prefix.Bits()) {
			s.lengths[family] = append(s.lengths[family], prefix.Bits())
		}
	}
	for _, lengths := range s.lengths {
		slices.Sort(lengths)
	}
	return s
}

// of finds the segment of an address.
func (s *segments) of(addr netip.Addr) *segment {
	family := lb.FamilyOf(addr)
	s.found = s.found[:0]
	for _, bits := range s.lengths[family] {
		if prefix, err := addr.Prefix(bits); err == nil && s.subnets[prefix] {
			s.found = append(s.found, prefix)
		}
	}
	if s.last == nil || s.last.family != family || !slices.Equal(s.last.subnets, s.found) {
		s.last = s.with(family, s.found)
	}
	return s.last
}

// with finds the segment of a family with some subnets.
func (s *segments) with(family lb.Family, subnets []netip.Prefix) *segment {
	key := []byte{byte(family)}
	for _, prefix := range subnets {
		key = append(prefix.AppendTo(key), ' ')
	}
	known := s.byKey[string(key)]
	if known == nil {
		known = &segment{family, slices.Clone(subnets), map[nodeKey]connection{}}
		s.byKey[string(key)] = known
	}
	return known
}

// reachabilityOf a node, by its index.
func (s *segment) reachabilityOf(r *rules, matches advertisementSet, node int) reachability {
	return s.connection(r, matches, node).reachability
}

// interfaces of a node to answer on, sorted.
func (s *segment) interfaces(r *rules, matches advertisementSet, node int) []string {
	return s.connection(r, matches, node).interfaces
}

// connection finds the interfaces of a node that the advertisements select. If no links of it are known, as for Explain of a
// speaker that does not report them, it counts as connected.
//
// Of an advertisement's interfaces with a subnet of the segment one answers, the one of the kernel's route: the hosts that ask
// are there, and hear two answers of one node if two are. One without a subnet answers beside it if the advertisement has its very
// name, and not only a pattern: another segment is there, on which the node has no address. If none has a subnet, all answer. What an advertisement that names
// interfaces finds on a subnet comes before what others find.
func (s *segment) connection(r *rules, matches advertisementSet, node int) connection {
	links, known := r.linksOf(node)
	if !known {
		return connection{reachability: onSubnet}
	}
	key := nodeKey{matches, node}
	if known, ok := s.connections[key]; ok {
		return known
	}
	var named, unnamed connection
	for i := range matches.all() {
		switch rule := &r.l2[i]; {
		case node >= 0 && !rule.nodes[node]:
		case len(rule.Interfaces) > 0:
			named.add(s.connect(links, rule.L2Advertisement))
		default:
			unnamed = s.connect(links, rule.L2Advertisement)
		}
	}
	if named.reachability != onSubnet {
		unnamed.interfaces = withoutSegmentsOf(links, unnamed.interfaces, named.interfaces)
		named.add(unnamed)
	}
	s.connections[key] = named
	return named
}

// linksOf a node, by its index, and whether they are known. A deleted node, with index -1, goes on wherever it may have
// announced, until another node takes over.
func (r *rules) linksOf(node int) (links []lb.Link, known bool) {
	if r.world.Links == nil {
		return nil, false
	}
	if node < 0 {
		return r.world.OwnLinks, true
	}
	links, known = r.world.Links[r.nodes[node].Name]
	return links, known || !r.world.Reported
}

// add the interfaces of another connection.
func (c *connection) add(other connection) {
	c.interfaces = append(c.interfaces, other.interfaces...)
	slices.Sort(c.interfaces)
	c.interfaces = slices.Compact(c.interfaces)
	c.reachability = max(c.reachability, other.reachability)
}

// connect finds which of some links an advertisement selects.
func (s *segment) connect(links []lb.Link, by *lb.L2Advertisement) connection {
	var onLink, others, meant []*lb.Link
	for i := range links {
		link := &links[i]
		switch {
		case !link.Answers(s.family) || !by.MatchesInterface(link.Name):
		case slices.ContainsFunc(s.subnets, link.OnSubnet):
			onLink = append(onLink, link)
		case len(by.Interfaces) > 0 || !isInternal(link.Name):
			others = append(others, link)
			if slices.Contains(by.Interfaces, link.Name) {
				meant = append(meant, link)
			}
		}
	}
	switch {
	case len(onLink) > 0:
		return connection{append(linkNames(onePerSegment(s.family, meant)), byRoute(s.subnets, onLink).Name), onSubnet}
	case len(others) > 0:
		return connection{linkNames(onePerSegment(s.family, others)), reachable}
	default:
		return connection{}
	}
}

// byRoute returns the link that the kernel's route to some subnets, the largest first, names: that of the smallest one. Where no link has
// a route, as of a node that does not tell, it is one with an address there, the first by name.
func byRoute(subnets []netip.Prefix, links []*lb.Link) *lb.Link {
	slices.SortFunc(links, func(a, b *lb.Link) int { return strings.Compare(a.Name, b.Name) })
	for _, has := range []func(*lb.Link, netip.Prefix) bool{hasRoute, (*lb.Link).OnSubnet} {
		for _, subnet := range slices.Backward(subnets) {
			if i := slices.IndexFunc(links, func(l *lb.Link) bool { return has(l, subnet) }); i >= 0 {
				return links[i]
			}
		}
	}
	return links[0]
}

func hasRoute(link *lb.Link, subnet netip.Prefix) bool { return slices.Contains(link.Routes, subnet) }
