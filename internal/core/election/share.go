package election

import (
	"cmp"
	"container/heap"
	"slices"
)

// share finds an heir for every vacancy. First it is settled how many each node gets: one after the other goes to the
// node that has the fewest. Then which: node and address with the highest score of all come together first, as far as
// the node has not got its number.
//
// So it does not matter how much of it has happened already. If some of the heirs have claimed theirs, the others are
// still heirs to the same addresses: their numbers are the same, since what is gone from the vacancies has been added to
// the loads, and no pair is missing that stood in another one's way. Nodes that learn of a crash, or of each other's
// claims, at different times therefore take different addresses and leave none.
//
// That is so among addresses with the same candidates. Those with other candidates are shared out one kind after the
// other, first those that the fewest nodes may hold.
func (r *round) share() {
	if len(r.vacancies) == 0 {
		return
	}
	s := &sharing{loads: slices.Clone(r.loads), quotas: make([]int, len(r.loads)), shares: make([]pairs, len(r.loads))}
	for i := range r.vacancies {
		if v := &r.vacancies[i]; len(r.roster.top(v.field)) > 0 {
			s.open = append(s.open, v)
		}
	}
	slices.SortStableFunc(s.open, byKind)
	for first, open := range s.open {
		if end := first + 1; end == len(s.open) || byKind(open, s.open[end]) != 0 {
			s.among(open.field.top, s.open[s.done:end])
			s.done = end
		}
	}
}

// byKind puts vacancies together that the same nodes may inherit, those first that few may.
func byKind(a, b *vacancy) int {
	if a.field == b.field {
		return 0
	}
	return cmp.Or(cmp.Compare(len(a.field.top), len(b.field.top)),
		slices.CompareFunc(a.field.top, b.field.top, func(a, b seat) int { return cmp.Compare(a.id, b.id) }))
}

// sharing is the sharing out of vacancies, of which some are done.
type sharing struct {
	open []*vacancy
	done int
	// loads are the numbers of addresses that nodes hold or have been given.
	loads []int
	// quotas are how many of the present kind a node gets, shares which it has been given.
	quotas []int
	shares []pairs
}

// among shares vacancies of one kind out among nodes.
func (s *sharing) among(nodes []seat, open []*vacancy) {
	for _, node := range nodes {
		s.quotas[node.id], s.shares[node.id] = 0, s.shares[node.id][:0]
	}
	for range open {
		id := least(nodes, s.loads).id
		s.loads[id]++
		s.quotas[id]++
	}
	for _, v := range open {
		s.propose(nodes, pair{v, ^uint64(0)})
	}
}

// propose offers a vacancy to one node after the other, down from the score it has been refused with, until one has
// room or likes it better than what it has; that one is then offered in its stead.
func (s *sharing) propose(nodes []seat, p pair) {
	for {
		id, score, ok := next(nodes, p)
		if !ok {
			return // Two nodes of one hash. The next in line will claim it.
		}
		p.score = score
		share, quota := &s.shares[id], s.quotas[id]
		switch {
		case len(*share) < quota:
			p.vacancy.heir = id
			*share = append(*share, p)
			if len(*share) == quota {
				heap.Init(share)
			}
			return
		case quota > 0 && (*share)[0].score < score:
			p.vacancy.heir = id
			p, (*share)[0] = (*share)[0], p
			heap.Fix(share, 0)
		}
	}
}

// next is the node with the highest score for a vacancy below the last one.
func next(nodes []seat, p pair) (id int, score uint64, ok bool) {
	for _, node := range nodes {
		if scored := node.score(p.vacancy.key); scored < p.score && (!ok || scored > score) {
			id, score, ok = node.id, scored, true
		}
	}
	return id, score, ok
}

// pair is a vacancy with the score of the node it was offered to last. Full shares are heaps, the lowest score on top.
type pair struct {
	vacancy *vacancy
	score   uint64
}

type pairs []pair

func (p pairs) Len() int           { return len(p) }
func (p pairs) Less(i, j int) bool { return p[i].score < p[j].score }
func (p pairs) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }

// Push and Pop are there for the heap; a full share neither grows nor shrinks.
func (p *pairs) Push(x any) { *p = append(*p, x.(pair)) }

// Pop takes the last one off.
func (p *pairs) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
