package election

import (
	"slices"
	"strings"
)

// Ranks say which candidates of one weight and one load are preferred for an address: those of a higher rank. They count when
// a holder is chosen, or when an address moves to even out; no address moves because of them. Ranks never change. The nil
// Ranks prefer nobody.
type Ranks struct {
	own  []Rank // in order of node
	rest *Ranks
}

// Rank of a node.
type Rank struct {
	Node string
	Rank uint8
}

// NewRanks returns the ranks of some nodes, given in any order, each node once. The other nodes have what rest gives them, which
// many addresses may share, and without rest 0.
func NewRanks(ranks []Rank, rest *Ranks) *Ranks {
	own := slices.Clone(ranks)
	slices.SortFunc(own, func(a, b Rank) int { return strings.Compare(a.Node, b.Node) })
	return &Ranks{own, rest}
}

// Of a node.
func (r *Ranks) Of(node string) uint8 {
	if r == nil {
		return 0
	}
	byNode := func(rank Rank, node string) int { return strings.Compare(rank.Node, node) }
	if i, found := slices.BinarySearchFunc(r.own, node, byNode); found {
		return r.own[i].Rank
	}
	return r.rest.Of(node)
}

// rankIndex is Ranks by numbers of nodes; nil: all nodes have 0.
type rankIndex []uint8

func (x rankIndex) of(id int) uint8 {
	if x == nil {
		return 0
	}
	return x[id]
}

// ranks returns the index of Ranks.
func (r *round) ranks(of *Ranks) rankIndex {
	if of == nil {
		return nil
	}
	known := r.ranked[of]
	if known == nil {
		known = make(rankIndex, len(r.nodes.names))
		copy(known, r.ranks(of.rest))
		for _, rank := range of.own {
			if id, found := r.nodes.ids[rank.Node]; found {
				known[id] = rank.Rank
			}
		}
		r.ranked[of] = known
	}
	return known
}
