package election

import "time"

// rebalance takes addresses over to even out, if it is this node's turn. While an address has no holder the final spread is
// not known, so nothing is moved then. But Services that come and go do not restart the wait.
func (r *round) rebalance() {
	if len(r.stillUnheld) > 0 || r.Settling || r.rebalanceAfter == 0 {
		return
	}
	uneven, receives := r.uneven()
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
	if receives && r.takeShare() {
		r.rebalanced = r.Now
		r.wakeAfter(interval)
	}
}

// movable reports whether a contest may change its holder to even out. An address that was never announced stays: it is
// being probed, or a foreign host uses it, and does so wherever it moves. Nor is anything moved on a segment in parts: a
// part would be without an answer until somebody stands in, and the clients of the other one lose their connections for
// nothing.
func (r *round) movable(contest int) bool {
	return r.holders[contest] >= 0 && r.announced[contest] && !r.contests[contest].Parts.Several()
}

// uneven reports whether any move is worthwhile, and whether one to this node is.
func (r *round) uneven() (uneven, receives bool) {
	for i := range r.contests {
		if !r.movable(i) {
			continue
		}
		g := r.groups[i]
		if !g.hasReceiver {
			g.receiver, g.hasReceiver = leastLoaded(r.nodes.preferred(g), r.loads, nil), true
		}
		if r.holders[i] == g.receiver.id {
			continue
		}
		giver, _ := g.find(r.holders[i])
		if !gainOf(giver, g.receiver, r.loads, nil).worthwhile() {
			continue
		}
		if pause := r.takesNothingFor(giver.id); pause > 0 {
			r.wakeAfter(pause)
			continue
		}
		uneven = true
		if me, candidate := g.find(r.me); candidate && gainOf(giver, me, r.loads, nil).worthwhile() {
			return true, true
		}
	}
	return uneven, false
}

// takeShare takes over what this node is to receive by the next moves. It reports whether there was something.
func (r *round) takeShare() (took bool) {
	moves := r.planMoves(maxMoves * r.rebalanceSteps)
	next := moves[:(len(moves)+r.rebalanceSteps-1)/r.rebalanceSteps]
	for left := r.share(moves, len(next)); len(next) > 0 && left > 0; next = next[1:] {
		m := next[0]
		i := m.from.takeBest(r, m.receiver)
		// Others may not make their moves, so ours has to be worthwhile without them.
		if m.receiver.id != r.me || !gainOf(m.from.giver, m.receiver, r.loads, nil).worthwhile() {
			continue
		}
		r.loads[m.from.giver.id]--
		r.loads[r.me]++
		contest := r.contests[i]
		r.taken[contest.Addr] = taking{r.nodes.names[m.from.giver.id], r.Now, r.Claims[contest.Addr].Term + 1}
		r.claim(contest, r.Claims[contest.Addr])
		left--
		took = true
	}
	return took
}

// share is how many of the next moves this node may make: as large a part as it has of all moves. The others make theirs at
// other moments of the interval, and do not appear in what is left then.
func (r *round) share(moves []move, next int) int {
	ours := 0
	for _, m := range moves {
		if m.receiver.id == r.me {
			ours++
		}
	}
	return max(1, next*ours/max(1, len(moves)))
}
