package election

import (
	"cmp"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

// The order of preference among the live candidates of an address. The higher weight comes first, then the lower load (the
// number of addresses that the node holds), then the higher rank (Ranks), then the higher score by rendezvous hashing.
//
//   - preferred leaves only the candidates of the highest weight. Heirs are chosen among them.
//   - leastLoaded chooses the node with the lowest load, and of those the highest rank.
//   - score is the rendezvous hash of a node and an address. The heirs are assigned by it (heirs.go).
//   - precedes is the order in which the candidates claim when the heir does not, whatever their rank.
//   - gain compares two holders, to even out (rebalance.go).
//
// Every node must compute the same order, so a preference may depend only on what all nodes know: the group and the claims.
// To add a preference of nodes, give it to Candidate and to indexedCandidate, copy it in newGroup (nodeindex.go), and
// compare it here, in preferred, precedes, gain and worthwhile alike. If it is a field of the L2Advertisement, package lb
// reads the field and internal/core/announce fills the Candidate in.

// preferred returns the live candidates with the highest weight, in an order that breaks ties of load.
func (x *nodeIndex) preferred(g *groupIndex) []indexedCandidate {
	if g.version == x.version {
		return g.preferred
	}
	g.preferred, g.version = g.preferred[:0], x.version
	for _, c := range g.candidates {
		if !x.alive[c.id] {
			continue
		}
		if len(g.preferred) > 0 && c.weight > g.preferred[0].weight {
			g.preferred = g.preferred[:0]
		}
		if len(g.preferred) == 0 || c.weight == g.preferred[0].weight {
			g.preferred = append(g.preferred, c)
		}
	}
	x.sortByTie(g.preferred)
	return g.preferred
}

func (x *nodeIndex) sortByTie(candidates []indexedCandidate) {
	slices.SortFunc(candidates, func(a, b indexedCandidate) int { return cmp.Compare(x.tieOrder[a.id], x.tieOrder[b.id]) })
}

// without returns what a group will be for a matching when some nodes are not alive any more.
func (x *nodeIndex) without(g *groupIndex, gone map[int]bool) *groupIndex {
	left := &groupIndex{version: x.version}
	for _, c := range g.candidates {
		if !x.alive[c.id] || gone[c.id] {
			continue
		}
		if len(left.preferred) > 0 && c.weight > left.preferred[0].weight {
			left.preferred = left.preferred[:0]
		}
		if len(left.preferred) == 0 || c.weight == left.preferred[0].weight {
			left.preferred = append(left.preferred, c)
		}
	}
	x.sortByTie(left.preferred)
	return left
}

// leastLoaded returns the candidate with the lowest load, of several that with the highest rank, and the first of those. There
// must be a candidate.
func leastLoaded(candidates []indexedCandidate, loads []int, ranks rankIndex) indexedCandidate {
	best := candidates[0]
	for _, c := range candidates[1:] {
		if loads[c.id] < loads[best.id] || loads[c.id] == loads[best.id] && ranks.of(c.id) > ranks.of(best.id) {
			best = c
		}
	}
	return best
}

// score is the rendezvous hash of a node and an address, which is given as its hash. The highest score is preferred.
func (c indexedCandidate) score(addr uint64) uint64 { return rendezvous.Mix(c.hash ^ addr) }

// precedes reports whether a candidate claims an address before another one does, when the heir has not claimed it.
func (c indexedCandidate) precedes(other indexedCandidate, addr uint64) bool {
	return c.weight > other.weight || c.weight == other.weight && c.score(addr) > other.score(addr)
}

// gain is what is gained when an address changes its holder: a higher weight comes first, then a lower load, then a higher rank.
type gain struct{ weight, load, rank int }

// gainOf returns the gain when an address moves from the node giver to the node receiver.
func gainOf(giver, receiver indexedCandidate, loads []int, ranks rankIndex) gain {
	return gain{
		receiver.weight - giver.weight, loads[giver.id] - loads[receiver.id],
		int(ranks.of(receiver.id)) - int(ranks.of(giver.id)),
	}
}

// worthwhile reports whether a move helps. A difference of load of less than 2 does not: the move would only turn it around. Nor does a
// higher rank alone.
func (g gain) worthwhile() bool { return g.weight > 0 || g.weight == 0 && g.load >= 2 }

// compare orders gains, the larger last.
func (g gain) compare(other gain) int {
	return cmp.Or(cmp.Compare(g.weight, other.weight), cmp.Compare(g.load, other.load), cmp.Compare(g.rank, other.rank))
}
