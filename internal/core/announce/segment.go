package announce

import (
	"net/netip"
	"slices"

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
}

func newSegments(links map[string][]lb.Link) *segments {
	s := &segments{map[netip.Prefix]bool{}, map[lb.Family][]int{}, map[string]*segment{}}
	for _, node := range links {
		for i := range node {
			if !usable(&node[i]) {
				continue
			}
			for _, prefix := range node[i].Addresses {
				s.subnets[prefix.Masked()] = true
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
	var subnets []netip.Prefix
	var key []byte
	for _, bits := range s.lengths[lb.FamilyOf(addr)] {
		if prefix, err := addr.Prefix(bits); err == nil && s.subnets[prefix] {
			subnets = append(subnets, prefix)
			key = prefix.AppendTo(key)
			key = append(key, ' ')
		}
	}
	known := s.byKey[string(key)]
	if known == nil {
		known = &segment{subnets, map[nodeKey]connection{}}
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

// connection finds the interfaces of a node that the advertisements select. If some have a subnet of the segment, it is
// only those, whatever their names: the hosts that ask for the address are there. If no links are known, as for Explain,
// every node counts as connected.
func (s *segment) connection(r *rules, matches advertisementSet, node int) connection {
	if r.world.Links == nil {
		return connection{reachability: onSubnet}
	}
	key := nodeKey{matches, node}
	if known, ok := s.connections[key]; ok {
		return known
	}
	var onLink, others []string
	links := r.world.OwnLinks // For this node when its Node object has been deleted.
	if node >= 0 {
		links = r.world.Links[r.nodes[node].Name]
	}
	for i := range links {
		link := &links[i]
		if !usable(link) {
			continue
		}
		named, selected := r.announcesOn(link.Name, matches, node)
		switch {
		case selected && slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return slices.Contains(s.subnets, p.Masked()) }):
			onLink = append(onLink, link.Name)
		case named || selected && !isInternal(link.Name):
			others = append(others, link.Name)
		}
	}
	result := connection{others, reachable}
	switch {
	case len(onLink) > 0:
		result = connection{onLink, onSubnet}
	case len(others) == 0:
		result.reachability = unreachable
	}
	slices.Sort(result.interfaces)
	s.connections[key] = result
	return result
}

// announcesOn reports whether one of the advertisements that select a node announces on an interface, and whether it names
// it. A deleted node, with index -1, has no labels to select it by: it goes on wherever it may have announced, until
// another node takes over.
func (r *rules) announcesOn(name string, matches advertisementSet, node int) (named, selected bool) {
	for i := range matches.all() {
		rule := &r.l2[i]
		if (node < 0 || rule.nodes[node]) && rule.MatchesInterface(name) {
			named, selected = named || len(rule.Interfaces) > 0, true
		}
	}
	return named, selected
}
