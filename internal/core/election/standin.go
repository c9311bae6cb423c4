package election

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// In a part of a segment without the holder of an address the first candidate of that part, in the order in which candidates
// claim, stands in for the holder: it answers without a claim, so nothing changes for anybody else. Before and meanwhile it
// searches for the holder on the segment. It stops at once when it hears the holder there, or when the parts join. A holder
// that hears it and is not heard says that they are in one part.

const (
	// standInAfter is how long the holder must have been apart and unheard.
	standInAfter = time.Second
	// standInSearch is the time between two searches for the holder.
	standInSearch = 500 * time.Millisecond
	// minStandInPause is how long nobody is stood in for who was heard, though he does not answer. It doubles each time up to
	// maxStandInPause, and begins anew when the last time was longer ago than that, or the parts have joined meanwhile.
	minStandInPause = 2 * time.Second
	maxStandInPause = 5 * time.Minute
	// standInHeard is for how long a node must have been heard that does not hear this one.
	standInHeard = 300 * time.Millisecond
)

// StandIn is an address that this node answers for in the place of its holder.
type StandIn struct {
	Addr   netip.Addr
	Holder string
}

// standIn is what is remembered of an address that this node stands in for, or is about to.
type standIn struct {
	// claim of the holder.
	claim Claim
	// since is since when the holder has been apart and unheard. answers: this node answers for the address.
	since   time.Time
	answers bool
	// other is a node that stands in for the address as well, comes first and was heard; empty: there is none.
	other string
}

// standInPause is until when nobody stands in for a node, and how long that is.
type standInPause struct {
	until  time.Time
	length time.Duration
}

// standIns are what an Elector remembers of them.
type standIns struct {
	standIns map[netip.Addr]standIn
	// pauses by holder.
	pauses map[string]standInPause
	// others are how many nodes each address of this node was apart from.
	others map[netip.Addr]int
}

// standInForOthers answers for the addresses whose holders are in other parts, and announces what this node holds when parts
// join.
func (r *round) standInForOthers() {
	r.announceJoined()
	r.pauseForHeard()
	next, asked := map[netip.Addr]standIn{}, map[testimonyKey]Question{}
	for i, contest := range r.contests {
		state, known := r.standIns.standIns[contest.Addr]
		switch {
		case known && r.holders[i] == nobody && state.answers && r.answers[contest.Addr]:
			next[contest.Addr] = state // It awaits the successor.
		case contest.Parts.Several() && r.isStandIn(i):
			if !known || state.claim.Node != r.Claims[contest.Addr].Node && !state.answers {
				state = standIn{since: r.Now}
			}
			state.claim = r.Claims[contest.Addr]
			next[contest.Addr] = r.standIn(contest, state, asked)
		}
	}
	r.standIns.standIns = next
}

// isStandIn reports whether this node is the one to stand in for the holder of a contest.
func (r *round) isStandIn(contest int) bool {
	c, holder, g := &r.contests[contest], r.holders[contest], r.groups[contest]
	if holder < 0 || holder == r.me || r.me == nobody || r.Settling || r.answers[c.Addr] || !r.announced[contest] ||
		!c.HasInterface || !c.Parts.Apart(r.node, r.nodes.names[holder]) {
		return false
	}
	me, candidate := g.find(r.me)
	return candidate && !r.partServes(contest) && !slices.ContainsFunc(g.candidates, func(other indexedCandidate) bool {
		return other.id != r.me && r.nodes.alive[other.id] && c.Parts.together(r.node, r.nodes.names[other.id]) &&
			other.precedes(me, hashAddr(c.Addr))
	})
}

// partServes reports whether servers of a shared address are in the part of this node. They answer by themselves.
func (r *round) partServes(contest int) bool {
	c := &r.contests[contest]
	return slices.ContainsFunc(r.Claims[c.Addr].Shares.Servers(), func(server string) bool {
		_, candidate := r.groups[contest].find(r.nodes.find(server))
		return candidate && c.Parts.together(r.node, server)
	})
}

// standIn decides whether to answer for an address in the place of its holder. The holder is asked and searched for by one
// address of each family and segment.
func (r *round) standIn(contest Contest, state standIn, asked map[testimonyKey]Question) standIn {
	if wait := r.pauses[state.claim.Node].until.Sub(r.Now); wait > 0 {
		r.wakeAfter(wait)
		return standIn{claim: state.claim, since: r.Now.Add(wait)}
	}
	holder, first := r.askOnce(state.claim.Node, contest, asked)
	if r.Answers[holder] == Answered {
		return standIn{claim: state.claim, since: r.Now}
	}
	if state = r.deferToOther(contest, state, asked); state.other != "" {
		return state
	}
	if first {
		r.decision.Search = append(r.decision.Search, Search{contest.Addr, standInSearch})
	}
	if wait := standInAfter - r.Now.Sub(state.since); wait > 0 && !state.answers {
		r.wakeAfter(wait)
		return state
	}
	state.answers = true
	r.answerInPlaceOf(contest, state.claim.Node)
	return state
}

// askOnce asks a node about an address, unless it is asked about another one of the family and segment already.
func (r *round) askOnce(node string, contest Contest, asked map[testimonyKey]Question) (q Question, first bool) {
	key := testimonyKey{node, contest.Segment, contest.Addr.Is4()}
	if known, found := asked[key]; found {
		return known, false
	}
	q = Question{node, contest.Addr}
	asked[key] = q
	r.decision.Ask = append(r.decision.Ask, q)
	return q, true
}

// deferToOther leaves an address to another node that was heard and answers for it, as long as it does: one that is silent
// in the gossip, or one that stands in for the holder as well. The edges do not tell that the two are in one part when that
// has few nodes and none of them asks another one.
func (r *round) deferToOther(contest Contest, state standIn, asked map[testimonyKey]Question) standIn {
	if state.other != "" {
		if q, first := r.askOnce(state.other, contest, asked); first && r.Answers[q].none() {
			return standIn{claim: state.claim, since: r.Now}
		}
		return state
	}
	byAddr := func(rival Rival, addr netip.Addr) int { return rival.Addr.Compare(addr) }
	first, _ := slices.BinarySearchFunc(r.Rivals, contest.Addr, byAddr)
	for _, rival := range r.Rivals[first:] {
		if rival.Addr != contest.Addr {
			break
		}
		// That a server answers says nothing. But one that has announced the address to all holds it, or stands in as well.
		serves := r.servesOrDid(rival.Node, rival.Addr)
		if serves {
			rival.Last = rival.Held
		}
		fresh, deferred := r.Now.Sub(rival.Last) < rivalFresh, standIn{claim: state.claim, since: r.Now, other: rival.Node}
		switch {
		case rival.Node == state.claim.Node, serves && rival.Held.IsZero():
		case r.isSilent(rival.Node) && fresh, r.goesFirst(rival) && r.goesOn(rival):
			return deferred
		case state.answers && fresh:
			r.decision.Defend = append(r.decision.Defend, rival.Addr)
		}
	}
	return state
}

// goesFirst reports whether another node that stands in for an address, too, comes before this one.
func (r *round) goesFirst(rival Rival) bool {
	i, _ := r.contestOf(rival.Addr)
	me, _ := r.groups[i].find(r.me)
	other, candidate := r.groups[i].find(r.nodes.find(rival.Node))
	return candidate && other.precedes(me, hashAddr(rival.Addr))
}

// answerInPlaceOf answers for an address without a claim.
func (r *round) answerInPlaceOf(contest Contest, holder string) {
	byAddr := func(h Hold, addr netip.Addr) int { return h.Addr.Compare(addr) }
	place, _ := slices.BinarySearchFunc(r.decision.Hold, contest.Addr, byAddr)
	r.decision.Hold = slices.Insert(r.decision.Hold, place, Hold{Addr: contest.Addr})
	r.decision.StandIns = append(r.decision.StandIns, StandIn{contest.Addr, holder})
	r.answers[contest.Addr] = true
}

// stoodIn reports whether this node answered for an address in the place of another one at the last decision.
func (r *round) stoodIn(addr netip.Addr) bool { return r.standIns.standIns[addr].answers }

// pauseForHeard makes a pause in standing in for nodes that were heard to use an address of theirs.
func (r *round) pauseForHeard() {
	for _, rival := range r.Rivals {
		state := r.standIns.standIns[rival.Addr]
		if state.claim.Node != rival.Node || r.Now.Sub(rival.Last) >= rivalFresh {
			continue
		}
		switch before := r.pauses[rival.Node]; {
		case before.until.After(r.Now):
		case r.Now.Sub(before.until) > maxStandInPause:
			r.pauses[rival.Node] = standInPause{r.Now.Add(minStandInPause), minStandInPause}
		default:
			length := min(2*before.length, maxStandInPause)
			r.pauses[rival.Node] = standInPause{r.Now.Add(length), length}
		}
	}
	maps.DeleteFunc(r.pauses, func(node string, p standInPause) bool {
		return r.Now.Sub(p.until) > maxStandInPause || !r.apartFrom(node)
	})
}

// apartFrom reports whether a node is in another part of any segment.
func (r *round) apartFrom(node string) bool {
	var last *Parts
	for i := range r.contests {
		parts := r.contests[i].Parts
		if parts != last && parts.Apart(r.node, node) {
			return true
		}
		last = parts
	}
	return false
}

// settleWithStandIn announces an address of this node again when another one in another part was heard to use it: the parts
// have joined, and that one stops as it hears this one. If it goes on it does not. Then it is reported as heard, so that it
// counts as of this part.
func (r *round) settleWithStandIn(rival Rival) {
	if r.Now.Sub(rival.Last) >= rivalFresh {
		return // It was heard before the segment was cut, perhaps.
	}
	r.meet(rival.Node, rival.Addr)
	r.decision.Defend = append(r.decision.Defend, rival.Addr)
	r.wakeAfter(rivalFresh)
	if rival.Last.Sub(rival.Since) >= standInHeard {
		r.decision.Heard = append(r.decision.Heard, rival)
	}
}

// announceJoined announces what this node holds when other parts have joined its own, where others have announced it, and
// what it held without a claim until now.
func (r *round) announceJoined() {
	others := map[netip.Addr]int{}
	for i, contest := range r.contests {
		if !r.isOurs(r.holders[i]) || !r.answers[contest.Addr] {
			continue
		}
		if count := contest.Parts.others(r.node); count > 0 {
			others[contest.Addr] = count
		}
		if others[contest.Addr] < r.others[contest.Addr] || r.stoodIn(contest.Addr) {
			r.decision.Announce = append(r.decision.Announce, contest.Addr)
		}
	}
	r.others = others
}
