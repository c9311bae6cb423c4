package election

import (
	"maps"
	"time"
)

// What this node takes over to even out may be back at once with the one that held it: that one knows other candidates and takes it back, or it
// cannot hear of the claim and goes on, so that it is given the address. To try again as soon as a spread is evened out would break connections
// each time, and have both answer for a second. So this node takes nothing over from that one for a while, which doubles each time.

// maxTakenBack is how long that is at most, in multiples of rebalanceAfter, and for how long after it the next time counts as one more.
const maxTakenBack = 32

// takenBack is that a node has back what this one had taken over from it.
type takenBack struct {
	// until is until when nothing is taken over from it, and pause for how long.
	until time.Time
	pause time.Duration
}

// noteTakenBack notes which nodes have back what this one took over to even out, and may still hold.
func (r *round) noteTakenBack() {
	// order does not matter: of several addresses of one node the first that is seen begins the pause, and all begin the same
	for addr, taken := range r.taken {
		claim := r.Claims[addr]
		i, contested := r.contestOf(addr)
		if taken.term == 0 || claim.Node != taken.from || claim.Term <= taken.term || !contested || r.nodes.liveHolder(claim) == nobody {
			continue
		}
		taken.term = 0
		r.taken[addr] = taken
		if _, candidate := r.groups[i].find(r.me); candidate && r.holders[i] != nobody {
			r.pauseTaking(taken.from)
		}
	}
	r.forgetTakenBack(r.Now)
}

// forgetTakenBack forgets those nodes from which this one may have taken something over for long.
func (e *Elector) forgetTakenBack(now time.Time) {
	longest := maxTakenBack * e.rebalanceAfter
	maps.DeleteFunc(e.takenBack, func(_ string, b takenBack) bool { return now.Sub(b.until) >= longest })
}

func (r *round) pauseTaking(from string) {
	before, known := r.takenBack[from]
	if known && before.until.After(r.Now) {
		return
	}
	pause := r.rebalanceAfter
	if known {
		pause = min(2*before.pause, maxTakenBack*r.rebalanceAfter)
	}
	if r.takenBack == nil {
		r.takenBack = map[string]takenBack{}
	}
	r.takenBack[from] = takenBack{r.Now.Add(pause), pause}
}

// takesNothingFor is how long this node takes nothing over from a live one; 0 or less: it does.
func (r *round) takesNothingFor(from int) time.Duration {
	if len(r.takenBack) == 0 {
		return 0
	}
	return r.takenBack[r.nodes.names[from]].until.Sub(r.Now)
}
