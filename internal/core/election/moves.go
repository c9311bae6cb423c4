package election

import (
	"cmp"
	"container/heap"
	"slices"
)

// move is a change of holder of some address, which spreads the addresses more evenly or gives one to a node of higher weight.
type move struct {
	from     *pile
	receiver indexedCandidate
}

// planMoves returns the moves to an even spread, at most so many, those that gain most first. Every node plans the same, whose
// claims it knows.
func (r *round) planMoves(limit int) []move {
	piles, loads := r.piles(), slices.Clone(r.loads)
	for _, p := range piles {
		p.rate(r, loads)
	}
	heap.Init(&piles)
	var moves []move
	for len(piles) > 0 && len(moves) < limit {
		p := piles[0]
		switch before := p.gain; {
		case p.left == 0 || !p.rate(r, loads).worthwhile():
			heap.Pop(&piles)
		case p.gain != before:
			heap.Fix(&piles, 0)
		default:
			moves = append(moves, move{p, p.receiver})
			p.left--
			loads[p.giver.id]--
			loads[p.receiver.id]++
		}
	}
	return moves
}

// pile is the addresses of one group, with the same Ranks, that one node holds and may give away.
type pile struct {
	group *groupIndex
	giver indexedCandidate
	// ranks are those of all its addresses.
	ranks rankIndex
	// contests of the addresses that were not taken yet, and how many of them have no move.
	contests []int
	left     int
	// receiver of the next move, and what it gains.
	receiver indexedCandidate
	gain     gain
	// place in the order of the first address of each pile.
	place int
}

// piles returns the addresses that may be moved.
func (r *round) piles() piles {
	type key struct {
		group  *groupIndex
		ranks  *Ranks
		holder int
	}
	var all piles
	byKey := map[key]*pile{}
	for i, holder := range r.holders {
		if !r.movable(i) {
			continue
		}
		ranks := r.contests[i].Ranks
		p := byKey[key{r.groups[i], ranks, holder}]
		if p == nil {
			giver, _ := r.groups[i].find(holder)
			p = &pile{group: r.groups[i], giver: giver, ranks: r.ranks(ranks), place: len(all)}
			byKey[key{r.groups[i], ranks, holder}] = p
			all = append(all, p)
		}
		p.contests = append(p.contests, i)
		p.left++
	}
	return all
}

// rate finds the receiver of the next move, and returns what is gained.
func (p *pile) rate(r *round, loads []int) gain {
	p.receiver = leastLoaded(r.nodes.preferred(p.group), loads, p.ranks)
	p.gain = gainOf(p.giver, p.receiver, loads, p.ranks)
	return p.gain
}

// takeBest takes out the contest whose address has the highest score with a receiver.
func (p *pile) takeBest(r *round, receiver indexedCandidate) int {
	best, bestScore := 0, uint64(0)
	for place, i := range p.contests {
		if score := receiver.score(hashAddr(r.contests[i].Addr)); score > bestScore {
			best, bestScore = place, score
		}
	}
	contest := p.contests[best]
	p.contests = slices.Delete(p.contests, best, best+1)
	return contest
}

// piles is a container/heap with the largest gain on top.
type piles []*pile

func (p piles) Len() int      { return len(p) }
func (p piles) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

func (p piles) Less(i, j int) bool {
	return cmp.Or(p[j].gain.compare(p[i].gain), cmp.Compare(p[i].place, p[j].place)) < 0
}

// Push completes heap.Interface. It is not called.
func (p *piles) Push(x any) { *p = append(*p, x.(*pile)) }

// Pop removes the last pile.
func (p *piles) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
