package election

import (
	"net/netip"
	"slices"
	"time"
)

// round is the work on one decision.
type round struct {
	*Elector
	Input
	contests []Contest
	// me is the number of this node.
	me int
	// answers, stillUnheld and stillAwaiting become what the Elector remembers.
	answers       map[netip.Addr]bool
	stillUnheld   map[netip.Addr]unheldState
	stillAwaiting map[netip.Addr]time.Time
	// ranked are the indexes of Ranks.
	ranked map[*Ranks]rankIndex
	// least is memory of leastOf.
	least []indexedCandidate

	// disputed is what those answer that this node leaves addresses to though they are no candidates.
	disputed map[testimonyKey]*testimony

	// testimonies are what the segment says of holders that are silent or doubtful.
	testimonies map[testimonyKey]*testimony
	// yielded are addresses that this node awaited a successor for, and has one.
	yielded map[netip.Addr]bool

	decision Decision
}

// unheldAddress is a contest without a holder.
type unheldAddress struct {
	// contest is its place in the list of contests.
	contest int
	group   *groupIndex
	// ranks of the candidates, once heirs are assigned.
	ranks rankIndex
	// hash of the address.
	hash uint64
	// heir is the number of the node that should claim the address.
	heir int
	unheldState
}

// unheldState is what is remembered of an address without a holder.
type unheldState struct {
	since time.Time
	// claim is the strongest claim, which is not valid. It is free when there is nobody to take the address over from.
	claim Claim
	// unverified: the claim has never been valid to our knowledge. Its node is no candidate to us, or not alive.
	unverified bool
	// withheld: a live candidate held it by the claim and had not announced it, or this node cannot know that none did.
	withheld bool
	// claimableSince is when the heir could claim the address; zero when it could not yet.
	claimableSince time.Time
}

// state returns what is remembered of an address without a holder. It begins again with every new claim that is not valid.
func (r *round) state(addr netip.Addr, claim Claim, wasValid bool) unheldState {
	if known, seen := r.remembered[addr]; seen && known.claim.same(claim) {
		known.claim = claim
		return known
	}
	held, ours := !claim.free(), claim.Node == r.node
	if held && !wasValid && !ours && r.nodes.liveHolder(claim) != nobody {
		r.noteDispute(claim)
	}
	// Of what was before a node takes part, as by the last run of its own speaker, it has only the claims.
	mayHaveHeld := wasValid || ours || !r.tookPart
	return unheldState{
		since: r.Now, claim: claim, unverified: held && !wasValid && !ours, withheld: held && mayHaveHeld && !claim.Announced,
	}
}

// findHolders finds the holder of every contest whose strongest claim is valid, and lists the contests without a holder.
func (r *round) findHolders() {
	previous := r.previousValid
	var group *Group
	var g *groupIndex
	for i, contest := range r.contests {
		if contest.Group != group {
			group, g = contest.Group, r.nodes.group(contest.Group, r.rounds)
		}
		for len(previous) > 0 && previous[0].Addr.Less(contest.Addr) {
			previous = previous[1:]
		}
		claim, known := r.Claims[contest.Addr]
		if len(previous) > 0 && previous[0].Addr == contest.Addr && previous[0].Node != claim.Node {
			r.noteReplaced(previous[0].Node, claim)
		}
		holder := nobody
		if known {
			holder = r.nodes.liveHolder(claim)
		}
		if _, candidate := g.find(holder); candidate {
			r.loads[holder]++
			r.valid = append(r.valid, claim)
			r.endDispute(claim)
		} else {
			holder = nobody
			wasValid := len(previous) > 0 && previous[0].same(claim)
			r.unheld = append(r.unheld, unheldAddress{i, g, nil, hashAddr(contest.Addr), nobody, r.state(contest.Addr, claim, wasValid)})
		}
		r.holders, r.announced, r.groups = append(r.holders, holder), append(r.announced, claim.Announced), append(r.groups, g)
	}
}

// isOurs reports whether the holder of a contest is this node. One that leaves has no number of its own, as nobody has.
func (r *round) isOurs(holder int) bool { return holder != nobody && holder == r.me }

// holdAndClaim goes through the contests: this node keeps what it holds, and claims what it is heir to.
func (r *round) holdAndClaim() {
	wait := r.newAddressWait()
	unheld, valid, answered := r.unheld, r.valid, r.Answered
	for i, contest := range r.contests {
		holder := r.holders[i]
		if holder == nobody {
			r.decideUnheld(&unheld[0], wait)
			unheld = unheld[1:]
			continue
		}
		claim := valid[0]
		valid = valid[1:]
		if holder != r.me || r.Settling && !r.answered[contest.Addr] {
			continue
		}
		for len(answered) > 0 && answered[0].Less(contest.Addr) {
			answered = answered[1:]
		}
		if r.defers(contest.Addr) {
			continue
		}
		if r.left(contest.Addr) {
			r.holdLeft(contest, claim)
			continue
		}
		if !claim.Announced && len(answered) > 0 && answered[0] == contest.Addr {
			claim.Announced = true
			r.decision.Claims = append(r.decision.Claims, claim)
		}
		if counts := r.counted(claim); claim.Announced && !counts.Announced && !r.answered[contest.Addr] {
			r.claim(contest, counts)
			continue
		}
		r.hold(contest, claim)
	}
}

// newAddressWait returns how long addresses that nobody has held are not claimed yet, since more of them may appear.
func (r *round) newAddressWait() time.Duration {
	oldest := r.Now
	for i := range r.unheld {
		u := &r.unheld[i]
		if !u.claim.free() || r.Settling || len(r.contests[u.contest].Group.candidates) == 0 {
			continue
		}
		if u.since.After(r.newestUnheld) {
			r.newestUnheld = u.since
		}
		if u.since.Before(oldest) {
			oldest = u.since
		}
	}
	return min(newAddressDelay-r.Now.Sub(r.newestUnheld), maxNewAddressDelay-r.Now.Sub(oldest))
}

// decideUnheld decides about an address without a holder. The wait is that of new addresses.
func (r *round) decideUnheld(u *unheldAddress, wait time.Duration) {
	contest := r.contests[u.contest]
	me, candidate := u.group.find(r.me)
	if len(contest.Group.candidates) == 0 {
		return
	}
	if r.Settling || len(r.nodes.preferred(u.group)) == 0 {
		r.awaitSuccessor(contest, u)
		return
	}
	wait = r.claimWait(u, me, wait)
	switch {
	case candidate && r.outlasts(u):
		u.claim.Announced = true
		r.takeUnheld(contest, u)
		return
	case candidate && wait <= 0 && r.vetoed(u):
		// The answers wake this node.
	case candidate && wait <= 0:
		r.takeUnheld(contest, u)
		return
	case candidate:
		r.wakeAfter(wait)
	}
	r.awaitSuccessor(contest, u)
}

// takeUnheld claims an address without a holder.
func (r *round) takeUnheld(contest Contest, u *unheldAddress) {
	delete(r.stillUnheld, contest.Addr)
	r.holders[u.contest] = r.me
	r.loads[r.me]++
	r.claim(contest, r.counted(u.claim)).Withheld = u.withheld
}

// claimWait returns how long this node waits before it claims an address.
func (r *round) claimWait(u *unheldAddress, me indexedCandidate, wait time.Duration) time.Duration {
	switch {
	case u.unverified:
		wait = r.respects(u) - r.Now.Sub(u.since)
	case !u.claim.free():
		wait = 0
	}
	if u.claimableSince.IsZero() && wait <= 0 {
		u.claimableSince = r.Now
	}
	r.stillUnheld[r.contests[u.contest].Addr] = u.unheldState
	switch {
	case u.claimableSince.IsZero():
		return wait
	case u.heir == r.me:
		return 0
	default:
		return r.fallbackWait(u, me) - r.Now.Sub(u.claimableSince)
	}
}

// isTurn reports whether it is this node that claims an address, as soon as it may be claimed.
func (r *round) isTurn(u *unheldAddress) bool {
	me, candidate := u.group.find(r.me)
	if !candidate || r.Settling || len(r.nodes.preferred(u.group)) == 0 {
		return false
	}
	return u.heir == r.me || !u.claimableSince.IsZero() && r.fallbackWait(u, me) <= r.Now.Sub(u.claimableSince)
}

// fallbackWait returns how long a node that is not the heir leaves an address to the candidates before it.
func (r *round) fallbackWait(u *unheldAddress, me indexedCandidate) time.Duration {
	before := 0
	for _, other := range u.group.candidates {
		if r.nodes.alive[other.id] && other.precedes(me, u.hash) {
			before++
		}
	}
	return heirTimeout + time.Duration(before)*nextHeirDelay
}

// awaitSuccessor goes on answering for an address without a holder, if this node has answered so far: make before break. It
// stops at once when the node of a new claim is alive, since that node answers too.
func (r *round) awaitSuccessor(contest Contest, u *unheldAddress) {
	if !r.answered[contest.Addr] || !contest.HasInterface || r.yielded[contest.Addr] || u.unverified && r.nodes.liveHolder(u.claim) != nobody {
		return
	}
	since, seen := r.awaiting[contest.Addr]
	if !seen {
		since = r.Now
	}
	r.stillAwaiting[contest.Addr] = since
	if left := successorTimeout - r.Now.Sub(since); left > 0 {
		r.hold(contest, u.claim)
		if r.stoodIn(contest.Addr) {
			r.decision.StandIns = append(r.decision.StandIns, StandIn{contest.Addr, u.claim.Node})
		}
		r.wakeAfter(left)
	}
}

// hold answers for an address of a known claim.
func (r *round) hold(contest Contest, claim Claim) {
	r.answers[contest.Addr] = true
	r.decision.Hold = append(r.decision.Hold, Hold{Addr: contest.Addr, First: !claim.Announced, OnTrial: r.onTrial(contest, claim)})
}

// claim claims an address and holds it, and returns how. The address need not be the last one in order.
func (r *round) claim(contest Contest, before Claim) *Hold {
	r.answers[contest.Addr] = true
	byAddr := func(h Hold, addr netip.Addr) int { return h.Addr.Compare(addr) }
	place, _ := slices.BinarySearchFunc(r.decision.Hold, contest.Addr, byAddr)
	r.decision.Hold = slices.Insert(r.decision.Hold, place, Hold{Addr: contest.Addr, First: !before.Announced, OnTrial: r.onTrial(contest, before)})
	r.decision.Claims = append(r.decision.Claims, Claim{Addr: contest.Addr, Node: r.node, Incarnation: r.incarnation, Term: before.Term + 1, Announced: before.Announced})
	if !before.Announced && r.answered[contest.Addr] {
		r.wakeAfter(time.Millisecond) // It goes on with what it has announced, so nothing else wakes this node to say so.
	}
	return &r.decision.Hold[place]
}

// release releases the addresses that this node has held and that are no contest any more. So the next holder of such an
// address is chosen without regard to this one.
func (r *round) release() {
	contests := r.contests
	for _, claim := range r.previousValid {
		for len(contests) > 0 && contests[0].Addr.Less(claim.Addr) {
			contests = contests[1:]
		}
		ours := claim.Node == r.node && claim.Incarnation == r.incarnation && r.Claims[claim.Addr].same(claim)
		if !ours || len(contests) > 0 && contests[0].Addr == claim.Addr {
			continue
		}
		r.decision.Claims = append(r.decision.Claims, Claim{Addr: claim.Addr, Incarnation: r.incarnation, Term: claim.Term + 1})
	}
	r.releaseVacant()
}

// wakeAfter asks for another decision after some time.
func (r *round) wakeAfter(wait time.Duration) {
	wait = max(wait, time.Millisecond)
	if r.decision.Wait == 0 || wait < r.decision.Wait {
		r.decision.Wait = wait
	}
}
