package election

import (
	"cmp"
	"container/heap"
	"slices"
)

// assignHeirs finds an heir for every address without a holder. First the number of addresses of each node is settled: one
// after the other goes to the node with the lowest load. That number is the node's quota. Then a stable matching (Gale and
// Shapley's deferred acceptance) settles which addresses it gets: every address prefers nodes by score, and every node
// prefers addresses by score, up to its quota.
//
// The result does not depend on which heirs have claimed already. The quotas of the others are the same, since what is not
// unheld any more counts in the loads, and in a stable matching no other pair was displaced by the pairs that are gone. So
// nodes that learn of a crash, or of each other's claims, at different times take different addresses and leave none out.
//
// This holds for addresses with the same candidates. Addresses with other candidates are assigned one kind after the other,
// those with the fewest candidates first.
func (r *round) assignHeirs() { r.match(r.unheld) }

// match finds the heirs of addresses.
func (r *round) match(unheld []unheldAddress) {
	if len(unheld) == 0 {
		return
	}
	m := &matching{
		loads: slices.Clone(r.loads), quotas: make([]int, len(r.loads)), accepted: make([]proposals, len(r.loads)),
	}
	for i := range unheld {
		if u := &unheld[i]; len(r.nodes.preferred(u.group)) > 0 {
			m.unheld = append(m.unheld, u)
		}
	}
	slices.SortStableFunc(m.unheld, byCandidates)
	for first, u := range m.unheld {
		if end := first + 1; end == len(m.unheld) || byCandidates(u, m.unheld[end]) != 0 {
			m.match(u.group.preferred, m.unheld[m.done:end])
			m.done = end
		}
	}
}

// byCandidates orders addresses by their preferred candidates, those with the fewest first. Addresses with the same ones are
// equal.
func byCandidates(a, b *unheldAddress) int {
	if a.group == b.group {
		return 0
	}
	byID := func(a, b indexedCandidate) int { return cmp.Compare(a.id, b.id) }
	return cmp.Or(cmp.Compare(len(a.group.preferred), len(b.group.preferred)),
		slices.CompareFunc(a.group.preferred, b.group.preferred, byID))
}

// matching assigns addresses to nodes, one kind after the other.
type matching struct {
	unheld []*unheldAddress
	// done is how many addresses have an heir.
	done int
	// loads are how many addresses each node holds or is heir to.
	loads []int
	// quotas are how many addresses of the present kind each node gets. accepted are those it has accepted so far.
	quotas   []int
	accepted []proposals
}

// match assigns addresses of one kind to their candidates.
func (m *matching) match(candidates []indexedCandidate, unheld []*unheldAddress) {
	for _, c := range candidates {
		m.quotas[c.id], m.accepted[c.id] = 0, m.accepted[c.id][:0]
	}
	for range unheld {
		id := leastLoaded(candidates, m.loads).id
		m.loads[id]++
		m.quotas[id]++
	}
	for _, u := range unheld {
		m.propose(candidates, proposal{u, ^uint64(0)})
	}
}

// propose proposes an address to one candidate after the other, in order of falling score. A candidate accepts while its
// quota is not full, or in place of the accepted address with the lowest score, which is then proposed further.
func (m *matching) propose(candidates []indexedCandidate, p proposal) {
	for {
		id, score, ok := nextChoice(candidates, p)
		if !ok {
			return // two nodes with one hash: the address has no heir, and the first candidate claims it after a timeout
		}
		p.score = score
		accepted, quota := &m.accepted[id], m.quotas[id]
		switch {
		case len(*accepted) < quota:
			p.address.heir = id
			*accepted = append(*accepted, p)
			if len(*accepted) == quota {
				heap.Init(accepted)
			}
			return
		case quota > 0 && (*accepted)[0].score < score:
			p.address.heir = id
			p, (*accepted)[0] = (*accepted)[0], p
			heap.Fix(accepted, 0)
		}
	}
}

// nextChoice returns the candidate with the highest score below that of the last proposal; ok is false when there is none.
func nextChoice(candidates []indexedCandidate, p proposal) (id int, score uint64, ok bool) {
	for _, c := range candidates {
		if scored := c.score(p.address.hash); scored < p.score && (!ok || scored > score) {
			id, score, ok = c.id, scored, true
		}
	}
	return id, score, ok
}

// proposal is an address with the score of the node that it was last proposed to.
type proposal struct {
	address *unheldAddress
	score   uint64
}

// proposals that a node has accepted. When its quota is full they are a heap with the lowest score on top.
type proposals []proposal

func (p proposals) Len() int           { return len(p) }
func (p proposals) Less(i, j int) bool { return p[i].score < p[j].score }
func (p proposals) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }

// Push and Pop complete heap.Interface. They are not called, since a full heap neither grows nor shrinks.
func (p *proposals) Push(x any) { *p = append(*p, x.(proposal)) }

// Pop removes the last proposal.
func (p *proposals) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
