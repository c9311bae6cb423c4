package election

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// A node may leave and start again in a part of the gossip that does not reach this one. It is neither alive nor silent then: all that is
// known is that it has left. On a segment that is whole it is heard, and takes this node for silent. So the two settle it by the hash,
// as silent nodes do. But no claim can tell this side: nobody here knows the run that it is for.

// returnedAfter is for how long one that has left must announce an address until it counts as returned. One that is still handing
// over announces what it has just taken a second later, and answers no rival.
const returnedAfter = 3 * time.Second / 2

// settleWithReturned settles who goes on of this node and one that has left and is back, if it is.
func (r *round) settleWithReturned(rival Rival) {
	if rival.Held.Sub(rival.HeldSince) < returnedAfter || !r.goesOn(rival) {
		return
	}
	r.meet(rival.Node, rival.Addr)
	if beats(r.node, rival) {
		r.decision.Defend = append(r.decision.Defend, rival.Addr)
		return
	}
	if r.deferred == nil {
		r.deferred = map[netip.Addr]string{}
	}
	r.deferred[rival.Addr] = rival.Node
}

// defers reports whether this node, which holds an address, leaves it to one that has returned, for as long as that answers. When the
// gossip reaches it the claims settle it.
func (r *round) defers(addr netip.Addr) bool {
	to, deferred := r.deferred[addr]
	if !deferred {
		return false
	}
	q := Question{to, addr}
	if _, alive := r.Live[to]; alive || r.isSilent(to) || r.Answers[q].none() {
		delete(r.deferred, addr)
		return false
	}
	if !slices.Contains(r.decision.Ask, q) {
		r.decision.Ask = append(r.decision.Ask, q)
	}
	return true
}

// forgetDeferred forgets the addresses that this node does not hold any more.
func (r *round) forgetDeferred() {
	maps.DeleteFunc(r.deferred, func(addr netip.Addr, _ string) bool {
		i, contested := r.contestOf(addr)
		return !contested || !r.isOurs(r.holders[i])
	})
}
