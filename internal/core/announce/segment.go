package announce

import (
	"net/netip"
	"path"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// foreignLinks are interfaces that lead to containers, tunnels and virtual switches of the node itself. An
// advertisement that names no interface leaves them out.
var foreignLinks = []string{
	"veth*", "cali*", "cilium_*", "lxc*", "cni*", "flannel*", "weave*", "kube-*", "nodelocaldns", "docker*", "podman*",
	"br-*", "virbr*", "vnet*", "tap*", "tun*", "tunl*", "vxlan*", "geneve*", "gre*", "ip6tnl*", "sit*", "wg*",
	"tailscale*", "zt*", "ovs-*", "genev_sys_*", "antrea-*", "dummy*", "ifb*",
}

// way says how good a way a node has to the segment of an address.
type way uint8

const (
	// unreachable: it has no interface to announce on.
	unreachable way = iota
	// reachable: it has one that the advertisements select, and no address in the same subnet.
	reachable
	// attached: it has one with an address in the same subnet.
	attached
)

// segment is what addresses have in common that are in the same of the nodes' subnets. There are few of them, and what
// is worked out for one holds for all its addresses.
type segment struct {
	subnets []netip.Prefix
	found   map[seat]seen
}

// seat is a node by its place, and the advertisements in question.
type seat struct {
	matches set
	place   int
}

// seen is what was found of a seat.
type seen struct {
	interfaces []string
	way        way
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
		known = &segment{subnets, map[seat]seen{}}
		s.byKey[string(key)] = known
	}
	return known
}

// way of a node, by its place, to the segment.
func (s *segment) way(r *rules, matches set, place int) way { return s.look(r, matches, place).way }

// interfaces of a node to answer on, sorted.
func (s *segment) interfaces(r *rules, matches set, place int) []string {
	return s.look(r, matches, place).interfaces
}

// look finds those of a node's interfaces that the advertisements select. Where some have a subnet of the segment, only
// those, whatever their names: the hosts that ask for the address are there. Without any word of links, as when asking
// from outside, a node is taken to have a way.
func (s *segment) look(r *rules, matches set, place int) seen {
	if r.world.Links == nil {
		return seen{way: attached}
	}
	key := seat{matches, place}
	if known, ok := s.found[key]; ok {
		return known
	}
	var onLink, others []string
	links := r.world.OwnLinks // This node, when its Node has been deleted.
	if place >= 0 {
		links = r.world.Links[r.nodes[place].Name]
	}
	for i := range links {
		link := &links[i]
		if !usable(link) {
			continue
		}
		named, chosen := r.announcesOn(link.Name, matches, place)
		switch {
		case chosen && slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return slices.Contains(s.subnets, p.Masked()) }):
			onLink = append(onLink, link.Name)
		case named || chosen && !foreign(link.Name):
			others = append(others, link.Name)
		}
	}
	result := seen{others, reachable}
	switch {
	case len(onLink) > 0:
		result = seen{onLink, attached}
	case len(others) == 0:
		result.way = unreachable
	}
	slices.Sort(result.interfaces)
	s.found[key] = result
	return result
}

// Relevant are the links of a node that it may announce on, or that may have been meant to: what the other nodes need to
// know of them. It leaves out the many that lead to the node's own containers, which come and go.
func Relevant(links []lb.Link, advertisements []*lb.L2Advertisement) []lb.Link {
	var relevant []lb.Link
	for i := range links {
		link := &links[i]
		named := slices.ContainsFunc(advertisements, func(a *lb.L2Advertisement) bool {
			return len(a.Interfaces) > 0 && a.MatchesInterface(link.Name)
		})
		addressed := slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return !p.Addr().IsLinkLocalUnicast() })
		if usable(link) && (named || addressed || !foreign(link.Name)) {
			relevant = append(relevant, *link)
		}
	}
	return relevant
}

// usable reports whether an interface has neighbors that could be answered.
func usable(link *lb.Link) bool { return link.Up && !link.NoARP && !link.Enslaved }

// announcesOn reports whether one of the advertisements that select a node announces on an interface, and whether it
// names it. A node that has been deleted has no labels to be selected by: it goes on where it may have been until it is
// replaced.
func (r *rules) announcesOn(name string, matches set, place int) (named, chosen bool) {
	for i := range matches.all() {
		rule := &r.l2[i]
		if (place < 0 || rule.weights[place] >= 0) && rule.MatchesInterface(name) {
			named, chosen = named || len(rule.Interfaces) > 0, true
		}
	}
	return named, chosen
}

func foreign(name string) bool {
	return slices.ContainsFunc(foreignLinks, func(glob string) bool {
		matched, _ := path.Match(glob, name)
		return matched
	})
}
