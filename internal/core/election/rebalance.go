package election

import (
	"cmp"
	"time"
)

// move is a change of holder that spreads the addresses more evenly, or gives one to a node of higher weight.
type move struct {
	contest  int
	receiver int
	gain     gain
	score    uint64
}

// rebalance takes an address over to even out, if it is this node's turn. While an address has no holder the final spread is
// not known, so nothing is moved then. But Services that come and go do not restart the wait.
func (r *round) rebalance() {
	if len(r.stillUnheld) > 0 || r.Settling || r.rebalanceAfter == 0 {
		return
	}
	best, uneven := r.bestMove()
	if !uneven {
		r.unevenSince = time.Time{}
		return
	}
	if r.unevenSince.IsZero() {
		r.unevenSince = r.Now
	}
	interval := min(rebalanceInterval, r.rebalanceAfter)
	if wait := max(r.rebalanceAfter-r.Now.Sub(r.unevenSince), interval-r.Now.Sub(r.rebalanced)); wait > 0 {
		r.wakeAfter(wait)
		return
	}
	if best.receiver == r.me {
		contest := r.contests[best.contest]
		r.rebalanced = r.Now
		r.taken[contest.Addr] = taking{r.nodes.names[r.holders[best.contest]], r.Now}
		r.claim(contest, r.Claims[contest.Addr])
		r.wakeAfter(interval)
	}
}

// bestMove returns the move that gains most. Every node finds the same one. An address that was never announced stays: it is
// being probed, or a foreign host uses it, and does so wherever it moves.
func (r *round) bestMove() (best move, found bool) {
	for i, contest := range r.contests {
		g, holder := r.groups[i], r.holders[i]
		if holder < 0 || !r.announced[i] {
			continue
		}
		if !g.hasReceiver {
			g.receiver, g.hasReceiver = leastLoaded(r.nodes.preferred(g), r.loads), true
		}
		giver := g.receiver
		if holder != giver.id {
			giver, _ = g.find(holder)
		}
		m := move{contest: i, receiver: g.receiver.id, gain: gainOf(giver, g.receiver, r.loads)}
		if !m.gain.worthwhile() || found && m.gain.compare(best.gain) < 0 {
			continue
		}
		m.score = g.receiver.score(hashAddr(contest.Addr))
		if !found || cmp.Or(m.gain.compare(best.gain), cmp.Compare(m.score, best.score)) > 0 {
			best, found = m, true
		}
	}
	return best, found
}
