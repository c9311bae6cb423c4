package election

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// assignHeirs finds an heir for every address without a holder. First the number of addresses of each node is settled: one
// after the other goes to the node with the lowest load. That number is the node's quota. But of nodes that would hold the same
// it is left open which take the last addresses, one each. Then a stable matching (Gale and Shapley's deferred acceptance)
// settles which addresses each gets: every address prefers nodes by rank (Ranks) and then by score, and every node prefers
// addresses by the same.
//
// The result does not depend on which heirs have claimed already. Since both sides prefer by the same, the matching is the one
// that takes the best pair of a node and an address, then the best of those left, and so on, as far as the quotas allow. A set
// of pairs is allowed if, and only if, it is together with the claimed ones in the loads. So what was refused with
// fewer claims is refused with more, and what was taken is allowed with all the others that were. Nodes that learn of a crash,
// or of each other's claims, at different times take different addresses and leave none out.
//
// This needs one matching for all addresses of the same candidates, with Ranks or without. Addresses with other candidates are
// assigned one kind after the other, those with the fewest candidates first; for them it does not hold.
func (r *round) assignHeirs() { r.match(r.unheld) }

// match finds the heirs of addresses.
func (r *round) match(unheld []unheldAddress) {
	if len(unheld) == 0 {
		return
	}
	m := &matching{
		loads: slices.Clone(r.loads), quotas: make([]int, len(r.loads)), accepted: make([]proposals, len(r.loads)),
		oneMore: make([]bool, len(r.loads)),
	}
	for i := range unheld {
		if u := &unheld[i]; len(r.nodes.preferred(u.group)) > 0 {
			u.ranks = r.ranks(r.contests[u.contest].Ranks)
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
	// Of the nodes with oneMore, as many as extras may accept one address more than their quota.
	oneMore []bool
	extras  int
	// weakestID is what weakest returns, while that is known.
	weakestID    int
	weakestKnown bool
}

// match assigns addresses of one kind to their candidates.
func (m *matching) match(candidates []indexedCandidate, unheld []*unheldAddress) {
	for _, c := range candidates {
		m.quotas[c.id], m.accepted[c.id] = 0, m.accepted[c.id][:0]
	}
	for range unheld {
		id := leastLoaded(candidates, m.loads, nil).id
		m.loads[id]++
		m.quotas[id]++
	}
	m.leaveOpen(candidates)
	m.weakestKnown = false
	for _, u := range unheld {
		m.propose(candidates, proposal{u, highestScore})
	}
	for _, c := range candidates {
		m.loads[c.id] += len(m.accepted[c.id]) - m.quotas[c.id]
	}
}

// leaveOpen leaves it open which nodes get the last addresses: of those whose loads were the same before.
func (m *matching) leaveOpen(candidates []indexedCandidate) {
	m.extras = 0
	highest := 0
	for _, c := range candidates {
		if m.quotas[c.id] > 0 {
			highest = max(highest, m.loads[c.id])
		}
	}
	for _, c := range candidates {
		if m.quotas[c.id] > 0 && m.loads[c.id] == highest {
			m.loads[c.id]--
			m.quotas[c.id]--
			m.extras++
		}
		m.oneMore[c.id] = m.loads[c.id] == highest-1
	}
}

// propose proposes an address to the first candidate, in order of falling score, that does not reject it, and likewise each
// address that is rejected in its place.
func (m *matching) propose(candidates []indexedCandidate, p proposal) {
	for {
		id, ok := m.next(candidates, &p)
		if !ok {
			return // two nodes with one hash: the address keeps the heir that rejected it last, who has one too many
		}
		if p, ok = m.accept(candidates, id, p); !ok {
			return
		}
	}
}

// next returns the candidate with the highest score below that of the last proposal, of those that do not reject it; ok is
// false when there is none. Who rejects a score will reject it later, too: what has been accepted makes way for higher
// scores only.
func (m *matching) next(candidates []indexedCandidate, p *proposal) (id int, ok bool) {
	var highest score
	for _, c := range candidates {
		rank := p.address.ranks.of(c.id)
		if rank > p.score.rank || rank < highest.rank {
			continue
		}
		scored := score{rank, c.score(p.address.hash)}
		if scored.below(p.score) && (!ok || highest.below(scored)) && !m.rejects(candidates, c.id, scored) {
			id, highest, ok = c.id, scored, true
		}
	}
	if ok {
		p.score = highest
	}
	return id, ok
}

// rejects reports whether a candidate rejects a score.
func (m *matching) rejects(candidates []indexedCandidate, id int, s score) bool {
	from := m.displaced(candidates, id)
	return from != nobody && (len(m.accepted[from]) == 0 || s.below(m.accepted[from][0].score))
}

// accept lets a candidate accept a proposal. When there are too many now, the one with the lowest score is rejected; false: none is.
func (m *matching) accept(candidates []indexedCandidate, id int, p proposal) (rejected proposal, any bool) {
	accepted, from := &m.accepted[id], m.displaced(candidates, id)
	if from == nobody && len(*accepted) == m.quotas[id] {
		m.extras--
	}
	p.address.heir = id
	accepted.add(p)
	m.weakestKnown = false
	if from == nobody {
		return proposal{}, false
	}
	return m.accepted[from].takeLowest(), true
}

// displaced returns the candidate that has one too many when a candidate accepts one more; nobody: none has.
func (m *matching) displaced(candidates []indexedCandidate, id int) int {
	more := len(m.accepted[id]) - m.quotas[id]
	switch {
	case more < 0 || more == 0 && m.oneMore[id] && m.extras > 0:
		return nobody
	case more == 0 && m.oneMore[id]:
		return m.lower(id, m.weakest(candidates))
	}
	return id
}

// weakest returns the candidate whose lowest score is the lowest, of those that have one more than their quota; nobody: none has.
func (m *matching) weakest(candidates []indexedCandidate) int {
	if m.weakestKnown {
		return m.weakestID
	}
	m.weakestID, m.weakestKnown = nobody, true
	for _, c := range candidates {
		if len(m.accepted[c.id]) > m.quotas[c.id] {
			m.weakestID = m.lower(c.id, m.weakestID)
		}
	}
	return m.weakestID
}

// lower returns the node whose lowest score is lower. The other one has accepted something or is nobody.
func (m *matching) lower(id, other int) int {
	if other != nobody && (len(m.accepted[id]) == 0 || m.accepted[other][0].score.below(m.accepted[id][0].score)) {
		return other
	}
	return id
}

// score of a node and an address: how much each prefers the other.
type score struct {
	rank uint8
	hash uint64
}

// highestScore is above all.
var highestScore = score{math.MaxUint8, math.MaxUint64}

func (s score) below(other score) bool {
	return s.rank < other.rank || s.rank == other.rank && s.hash < other.hash
}

// proposal is an address with the score of the node that it was last proposed to.
type proposal struct {
	address *unheldAddress
	score   score
}

// proposals that a node has accepted: a heap with the lowest score on top.
type proposals []proposal

func (p proposals) Len() int           { return len(p) }
func (p proposals) Less(i, j int) bool { return p[i].score.below(p[j].score) }
func (p proposals) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }

// add adds a proposal, and takeLowest takes out the one with the lowest score. heap.Push and heap.Pop would allocate.
func (p *proposals) add(added proposal) {
	*p = append(*p, added)
	heap.Fix(p, len(*p)-1)
}

func (p *proposals) takeLowest() proposal {
	lowest, last := (*p)[0], len(*p)-1
	(*p)[0] = (*p)[last]
	if *p = (*p)[:last]; last > 0 {
		heap.Fix(p, 0)
	}
	return lowest
}

// Push and Pop complete heap.Interface. They are not called.
func (p *proposals) Push(x any) { *p = append(*p, x.(proposal)) }

// Pop removes the last proposal.
func (p *proposals) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
