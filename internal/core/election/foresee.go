package election

import (
	"time"
)

// Outlook is which node holds each contest, in the order of the contests; empty: none.
type Outlook struct {
	// AtOnce: holders keep their addresses, and heirs take over those without one.
	AtOnce []string
	// Later is when the spread has been evened out. Of nodes that are equal it is certain how many addresses each takes over,
	// and not which: that depends on who comes first.
	Later []string
}

// Foresee returns who will hold what when all nodes know the same and nothing else changes: it is the decision that each of them makes.
// Groups whose nodes differ may be spread in another way when the nodes learn of a change at different times.
func Foresee(contests []Contest, live map[string]uint64, claims Claims) Outlook {
	e := NewElector("", 0, time.Minute)
	e.nodes.update(live)
	r := e.begin(contests, Input{Live: live, Claims: claims})
	r.findHolders()
	r.assignHeirs()
	for i := range r.unheld {
		if u := &r.unheld[i]; u.heir != nobody {
			r.holders[u.contest] = u.heir
			r.loads[u.heir]++
		}
	}
	outlook := Outlook{AtOnce: r.holderNames()}
	for i := range r.announced {
		r.announced[i] = true // by then
	}
	for moves := r.planMoves(maxMoves); len(moves) > 0; moves = r.planMoves(maxMoves) {
		for _, m := range moves {
			r.holders[m.from.takeBest(r, m.receiver)] = m.receiver.id
			r.loads[m.from.giver.id]--
			r.loads[m.receiver.id]++
		}
	}
	outlook.Later = r.holderNames()
	return outlook
}

func (r *round) holderNames() []string {
	names := make([]string, len(r.holders))
	for i, holder := range r.holders {
		if holder != nobody {
			names[i] = r.nodes.names[holder]
		}
	}
	return names
}
