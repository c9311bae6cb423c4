package election

import (
	"cmp"
	"time"
)

// move is a change of holder that would make things more even, or prefer a node of higher weight.
type move struct {
	contest  int
	receiver int
	// weight and load gained by it.
	weight, load int
	score        uint64
}

// compare orders moves by what they gain, then by hash.
func (m move) compare(other move) int {
	return cmp.Or(cmp.Compare(m.weight, other.weight), cmp.Compare(m.load, other.load), cmp.Compare(m.score, other.score))
}

// balance takes an address over for the sake of balance, when it is this node's turn. While an address is open there is
// no telling what is even; Services that come and go do not put it off for ever, though.
func (r *round) balance() {
	if len(r.opened) > 0 || r.Settling || r.rebalanceAfter == 0 {
		return
	}
	best, uneven := r.best()
	if !uneven {
		r.uneven = time.Time{}
		return
	}
	if r.uneven.IsZero() {
		r.uneven = r.Now
	}
	rest := min(pace, r.rebalanceAfter)
	if wait := max(r.rebalanceAfter-r.Now.Sub(r.uneven), rest-r.Now.Sub(r.taken)); wait > 0 {
		r.again(wait)
		return
	}
	if best.receiver == r.me {
		contest := r.contests[best.contest]
		r.taken = r.Now
		r.claim(contest, r.Claims[contest.Addr])
		r.again(rest)
	}
}

// best is the move that gains most; every node finds the same one.
func (r *round) best() (best move, found bool) {
	for i, contest := range r.contests {
		f, holder := r.fields[i], r.holders[i]
		if holder == nobody {
			continue
		}
		if !f.hasReceiver {
			f.receiver, f.hasReceiver = least(r.roster.top(f), r.loads), true
		}
		giver := f.receiver
		if holder != giver.id {
			giver, _ = f.find(holder)
		}
		m := move{contest: i, receiver: f.receiver.id, weight: f.receiver.weight - giver.weight, load: r.loads[holder] - r.loads[f.receiver.id]}
		if m.weight < 0 || m.weight == 0 && m.load < 2 || found && (m.weight < best.weight || m.weight == best.weight && m.load < best.load) {
			continue
		}
		m.score = f.receiver.score(hashAddr(contest.Addr))
		if !found || m.compare(best) > 0 {
			best, found = m, true
		}
	}
	return best, found
}
