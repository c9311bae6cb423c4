package election

import (
	"maps"
	"time"
)

// A node that is silent in the gossip may announce an address and not answer for it: it died just then, or it sends and receives
// nothing, and takes the others for dead. Clients believe it all the same.

// correction of what a node has announced.
type correction struct {
	// held is the announcement, by its time, and at when this node has announced the address again for it.
	held, at time.Time
}

// correct announces an address of this node once more when a silent node has announced it that does not answer for it: once for each
// of its announcements.
func (r *round) correct(holder int, rival Rival) {
	q := Question{rival.Node, rival.Addr}
	if !r.isOurs(holder) || !r.Answers[q].none() || rival.Held.IsZero() || r.corrected[q].held.Equal(rival.Held) {
		return
	}
	if wait := rivalFresh - r.Now.Sub(r.corrected[q].at); wait > 0 {
		r.wakeAfter(wait)
		return
	}
	if r.corrected == nil {
		r.corrected = map[Question]correction{}
	}
	r.corrected[q] = correction{rival.Held, r.Now}
	r.decision.Defend = append(r.decision.Defend, rival.Addr)
	r.wakeAfter(rivalFresh) // If it announces the address again before that, nothing else wakes this node.
}

// forgetCorrected forgets those of long ago, when the rivals are none any more.
func (r *round) forgetCorrected() {
	maps.DeleteFunc(r.corrected, func(_ Question, c correction) bool { return r.Now.Sub(c.at) > takenTimeout })
}
