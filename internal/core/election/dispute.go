package election

import (
	"maps"
	"net/netip"
	"slices"
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
	// maxDisputed is how many addresses of one node are asked about at a time, of those of one family on one segment. A second later the next
	// ones are.
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

// disputeOf is the dispute about an address, if this node is to leave it for longer than a moment to the one that claims it.
func (r *round) disputeOf(u *unheldAddress) (d dispute, lasts bool) {
	d, known := r.disputes[u.claim.Addr]
	_, mayClaim := u.group.find(r.me)
	lasts = known && u.unverified && mayClaim && d.wait > unverifiedClaimTimeout && r.nodes.liveHolder(u.claim) != nobody
	return d, lasts
}

// askDisputed asks those that this node leaves addresses to.
func (r *round) askDisputed() {
	if len(r.disputes) == 0 || r.Settling {
		return
	}
	r.disputed = map[testimonyKey]*testimony{}
	for i := range r.unheld {
		if u := &r.unheld[i]; len(r.nodes.preferred(u.group)) > 0 {
			if _, lasts := r.disputeOf(u); lasts {
				addTestimony(r.disputed, u.claim.Node, r.contests[u.contest])
			}
		}
	}
	for _, t := range sortedTestimonies(r.disputed) {
		r.take(t, maxDisputed, r.Now.Sub(r.disputes[t.addresses[0]].at))
	}
}

// respects is for how long in all a claim that is not verified is respected. After a moment only as long as its node answers: it may have
// learned that it is no candidate. What it answers about some addresses counts for those that it is not asked about yet.
func (r *round) respects(u *unheldAddress) time.Duration {
	d, lasts := r.disputeOf(u)
	contest := r.contests[u.contest]
	t, asked := r.disputed[testimonyKey{u.claim.Node, contest.Segment, contest.Addr.Is4()}]
	if !lasts || !asked {
		return unverifiedClaimTimeout
	}
	answer := Unasked
	switch {
	case slices.Contains(t.asked, contest.Addr):
		answer = r.Answers[Question{t.node, contest.Addr}]
	case t.answered || t.open:
		answer = Answered
	}
	switch answer {
	case NoAnswer:
		return unverifiedClaimTimeout
	case Unasked:
		return min(d.wait, successorTimeout) // For so long it answers even if it may not.
	default:
		return d.wait
	}
}

// forgetDisputes forgets those that have ended long ago.
func (e *Elector) forgetDisputes(now time.Time) {
	maps.DeleteFunc(e.disputes, func(_ netip.Addr, d dispute) bool { return now.Sub(d.at) >= disputeMemory })
}
