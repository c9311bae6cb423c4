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
	all, loads := r.holdings(), slices.Clone(r.loads)
	for _, h := range all {
		h.rate(r, loads)
	}
	heap.Init(&all)
	var moves []move
	for len(all) > 0 && len(moves) < limit {
		h := all[0]
		before, next := h.gain, h.next
		switch {
		case !h.rate(r, loads) || !h.gain.worthwhile():
			heap.Pop(&all)
		case h.gain != before || h.next != next:
			heap.Fix(&all, 0)
		default:
			moves = append(moves, move{h.next, h.receiver})
			h.next.left--
			loads[h.giver.id]--
			loads[h.receiver.id]++
		}
	}
	return moves
}

// holding is the addresses of one group that one node holds and may give away.
type holding struct {
	group *groupIndex
	giver indexedCandidate
	// piles in the order of their first addresses.
	piles []*pile
	// next is the pile of the next move, receiver who gets it, and gain what that gains.
	next     *pile
	receiver indexedCandidate
	gain     gain
}

// pile is the addresses of a holding with the same Ranks.
type pile struct {
	giver indexedCandidate
	// ranks are those of all its addresses.
	ranks rankIndex
	// contests of the addresses that were not taken yet, and how many of them have no move.
	contests []int
	left     int
	// place in the order of the first address of each pile.
	place int
}

// holdings returns the addresses that may be moved.
func (r *round) holdings() holdings {
	type key struct {
		group  *groupIndex
		holder int
	}
	type pileKey struct {
		*holding
		ranks *Ranks
	}
	var all holdings
	byKey, piles := map[key]*holding{}, map[pileKey]*pile{}
	for i, holder := range r.holders {
		if !r.movable(i) || r.takesNothingFor(holder) > 0 {
			continue
		}
		ranks := r.contests[i].Ranks
		h := byKey[key{r.groups[i], holder}]
		if h == nil {
			giver, _ := r.groups[i].find(holder)
			h = &holding{group: r.groups[i], giver: giver}
			byKey[key{r.groups[i], holder}] = h
			all = append(all, h)
		}
		p := piles[pileKey{h, ranks}]
		if p == nil {
			p = &pile{giver: h.giver, ranks: r.ranks(ranks), place: len(piles)}
			piles[pileKey{h, ranks}] = p
			h.piles = append(h.piles, p)
		}
		p.contests = append(p.contests, i)
		p.left++
	}
	return all
}

// rate finds the next move, which gains most of all from the holding: all gain the same but in rank. It reports whether
// there is one.
func (h *holding) rate(r *round, loads []int) bool {
	h.next = nil
	least := r.leastOf(r.nodes.preferred(h.group), loads)
	for _, p := range h.piles {
		if p.left == 0 {
			continue
		}
		receiver := leastLoaded(least, loads, p.ranks)
		if gain := gainOf(h.giver, receiver, loads, p.ranks); h.next == nil || gain.compare(h.gain) > 0 {
			h.next, h.receiver, h.gain = p, receiver, gain
		}
	}
	return h.next != nil
}

// leastOf returns the candidates with the lowest load, until it is called again.
func (r *round) leastOf(candidates []indexedCandidate, loads []int) []indexedCandidate {
	least := r.least[:0]
	for _, c := range candidates {
		if len(least) > 0 && loads[c.id] < loads[least[0].id] {
			least = least[:0]
		}
		if len(least) == 0 || loads[c.id] == loads[least[0].id] {
			least = append(least, c)
		}
	}
	r.least = least
	return least
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

// holdings is a container/heap with the largest gain on top.
type holdings []*holding

func (h holdings) Len() int      { return len(h) }
func (h holdings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h holdings) Less(i, j int) bool {
	return cmp.Or(h[j].gain.compare(h[i].gain), cmp.Compare(h[i].next.place, h[j].next.place)) < 0
}

// Push completes heap.Interface. It is not called.
func (h *holdings) Push(x any) { *h = append(*h, x.(*holding)) }

// Pop removes the last holding.
func (h *holdings) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
