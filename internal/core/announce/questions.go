package announce

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// maxPaths bounds the paths of a question.
const maxPaths = 4

// Layer2Question asks on the segment whether a node answers for an address. It has an answer when there is one by any path.
type Layer2Question struct {
	election.Question
	// Paths to the node; none: it cannot be asked.
	Paths []Layer2Path
}

// Layer2Path is an interface of this node and a MAC address of another one on the same segment.
type Layer2Path struct {
	Interface string
	MAC       string
	// Source is this interface's own link-local address, to ask from by IPv6; invalid: it has none.
	Source netip.Addr
}

// Equal reports whether two questions are the same, asked in the same way.
func (q Layer2Question) Equal(other Layer2Question) bool {
	return q.Question == other.Question && slices.Equal(q.Paths, other.Paths)
}

// Layer2Questions are the questions of an election among these contests, with how to ask them. Links are those of the nodes as
// last known. Where conflicts are not detected nobody is asked.
func (p *Plan) Layer2Questions(ask []election.Question, own []lb.Link, links map[string][]lb.Link) []Layer2Question {
	questions := make([]Layer2Question, 0, len(ask))
	for _, q := range ask {
		i, found := p.contestOf(q.Addr)
		switch {
		case found && p.Contests[i].Detection == v1beta1.ConflictOff:
			questions = append(questions, Layer2Question{Question: q})
		case found:
			questions = append(questions, Layer2Question{q, paths(q.Addr, p.Contests[i].Interfaces, own, links[q.Node])})
		}
	}
	return questions
}

// Layer2Searches are the searches of an election among these contests. Where conflicts are not detected nothing is searched for.
func (p *Plan) Layer2Searches(searches []election.Search) []election.Search {
	return slices.DeleteFunc(slices.Clone(searches), func(s election.Search) bool {
		i, found := p.contestOf(s.Addr)
		return !found || p.Contests[i].Detection == v1beta1.ConflictOff || p.Contests[i].KernelsAnswer
	})
}

func (p *Plan) contestOf(addr netip.Addr) (place int, found bool) {
	return slices.BinarySearchFunc(p.Contests, addr, func(c Contest, addr netip.Addr) int { return c.Addr.Compare(addr) })
}

// paths from interfaces of our own, by name, to a node that may answer for an address: to its links in the same subnet, or to all, if there
// is none. Of many, those come first where the address belongs: whose two ends have its subnet, then those to a link that has it, then
// those to a link of the same name. An invalid address belongs nowhere.
func paths(addr netip.Addr, interfaces []string, own, others []lb.Link) []Layer2Path {
	var all []rankedPath
	for i := range own {
		from := &own[i]
		if !slices.Contains(interfaces, from.Name) {
			continue
		}
		for j := range others {
			to := &others[j]
			if to.MAC == "" || strings.EqualFold(to.MAC, from.MAC) || to.NoARP {
				continue
			}
			all = append(all, rankedPath{Layer2Path{from.Name, to.MAC, linkLocal(from)}, pathRank(addr, from, to), shareSubnet(from, to)})
		}
	}
	if slices.ContainsFunc(all, func(p rankedPath) bool { return p.onSubnet }) {
		all = slices.DeleteFunc(all, func(p rankedPath) bool { return !p.onSubnet })
	}
	slices.SortStableFunc(all, func(a, b rankedPath) int { return cmp.Compare(b.rank, a.rank) })
	var chosen []Layer2Path
	for _, p := range all {
		// A bond and its members, or a port and its VLANs, have one MAC address, which is asked once.
		if len(chosen) < maxPaths && !slices.Contains(chosen, p.Layer2Path) {
			chosen = append(chosen, p.Layer2Path)
		}
	}
	return chosen
}

// rankedPath is a path with how likely it leads to where an address belongs; higher is more.
type rankedPath struct {
	Layer2Path
	rank     int
	onSubnet bool
}

// pathRank of the path from a link of our own to one of another node.
func pathRank(addr netip.Addr, from, to *lb.Link) (rank int) {
	for _, mark := range []bool{onSubnetOf(to, addr) && onSubnetOf(from, addr), onSubnetOf(to, addr), to.Name == from.Name, usable(to)} {
		rank *= 2
		if mark {
			rank++
		}
	}
	return rank
}

// onSubnetOf reports whether a link is in a subnet that contains an address, by an address or by a route.
func onSubnetOf(link *lb.Link, addr netip.Addr) bool {
	return link.OnLink(addr) || slices.ContainsFunc(link.Routes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func linkLocal(link *lb.Link) netip.Addr {
	for _, prefix := range link.Addresses {
		if prefix.Addr().Is6() && prefix.Addr().IsLinkLocalUnicast() {
			return prefix.Addr()
		}
	}
	return netip.Addr{}
}

func shareSubnet(a, b *lb.Link) bool {
	return slices.ContainsFunc(a.Addresses, func(p netip.Prefix) bool {
		return !p.Addr().IsLinkLocalUnicast() && slices.ContainsFunc(b.Addresses, func(q netip.Prefix) bool { return p.Masked() == q.Masked() })
	})
}
