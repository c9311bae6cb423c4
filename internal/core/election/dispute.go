package election

import (
	"maps"
	"net/netip"
	"time"
)

// Two nodes may know different candidates of an address for long, as when one of them has no API server any more: each takes the claim of the
// other for one of a node that may not have the address. Neither can know who is right. So each leaves the address to the other for longer
// and longer, as long as that answers on the segment, and connections do not break several times a second.

const (
	// maxDispute is how long at most a claim is respected that has come again and again though its node is no candidate to us.
	maxDispute = 5 * time.Minute
	// disputeMemory is for how long after such a claim the next one counts as one more: longer than both wait.
	disputeMemory = 4 * maxDispute
	// maxDisputed is how many addresses of one node are asked about at a time, of those of one family on one segment.
	maxDisputed = maxProving
)

// dispute is about an address that a live node claims again and again which is no candidate to our knowledge.
type dispute struct {
	node string
	// at is when it was last claimed so, and wait for how long that claim is respected.
	at   time.Time
	wait time.Duration
}

// noteDispute notes a new claim of a live node that is no candidate.
func (r *round) noteDispute(claim Claim) {
	wait := unverifiedClaimTimeout
	if before, known := r.disputes[claim.Addr]; known && before.node == claim.Node && r.Now.Sub(before.at) < disputeMemory {
		wait = min(2*before.wait, maxDispute)
	}
	if r.disputes == nil {
		r.disputes = map[netip.Addr]dispute{}
	}
	r.disputes[claim.Addr] = dispute{claim.Node, r.Now, wait}
}

// endDispute ends the dispute about an address whose holder is valid to our knowledge, if it was with that one.
func (r *round) endDispute(claim Claim) {
	if d, known := r.disputes[claim.Addr]; known && d.node == claim.Node {
		delete(r.disputes, claim.Addr)
	}
}

// respects is for how long in all a claim that is not verified is respected. After a moment only as long as its node answers: it may have
// learned that it is no candidate.
func (r *round) respects(u *unheldAddress) time.Duration {
	d, known := r.disputes[u.claim.Addr]
	_, mayClaim := u.group.find(r.me)
	if !known || !mayClaim || d.wait <= unverifiedClaimTimeout || r.nodes.liveHolder(u.claim) == nobody {
		return unverifiedClaimTimeout
	}
	contest := r.contests[u.contest]
	key := testimonyKey{u.claim.Node, contest.Segment, contest.Addr.Is4()}
	if r.disputed[key] >= maxDisputed {
		return min(d.wait, successorTimeout) // For so long it answers even then.
	}
	if r.disputed == nil {
		r.disputed = map[testimonyKey]int{}
	}
	r.disputed[key]++
	q := Question{u.claim.Node, contest.Addr}
	r.decision.Ask = append(r.decision.Ask, q)
	switch r.Answers[q] {
	case NoAnswer:
		return unverifiedClaimTimeout
	case Unasked:
		return min(d.wait, successorTimeout)
	default:
		return d.wait
	}
}

// forgetDisputes forgets those that have ended long ago.
func (r *round) forgetDisputes() {
	maps.DeleteFunc(r.disputes, func(_ netip.Addr, d dispute) bool { return r.Now.Sub(d.at) >= disputeMemory })
}
