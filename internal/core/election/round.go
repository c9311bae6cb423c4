package election

import (
	"net/netip"
	"slices"
	"time"
)

// round is one decision in the making.
type round struct {
	*Elector
	Input
	contests []Contest
	// me is this node.
	me      int
	answers map[netip.Addr]bool
	opened  map[netip.Addr]opening
	yields  map[netip.Addr]time.Time

	decision Decision
}

// vacancy is a contest without a holder.
type vacancy struct {
	contest int
	field   *field
	key     uint64
	heir    int
	opening
}

// opening is what is remembered of an address without a holder. It begins again with every new claim that does not stand.
func (r *round) opening(addr netip.Addr, claim Claim, news bool) opening {
	if o, seen := r.openings[addr]; seen && o.claim == claim {
		return o
	}
	return opening{since: r.Now, claim: claim, hearsay: news}
}

// stand finds the contests whose strongest claim stands: its node is a candidate and has not been restarted since.
func (r *round) stand() {
	before := r.stood
	var group *Group
	var f *field
	for i, contest := range r.contests {
		if contest.Group != group {
			group, f = contest.Group, r.roster.field(contest.Group, r.rounds)
		}
		for len(before) > 0 && before[0].Addr.Less(contest.Addr) {
			before = before[1:]
		}
		claim, known := r.Claims[contest.Addr]
		holder := nobody
		if known {
			holder = r.roster.author(claim)
		}
		if _, candidate := f.find(holder); candidate {
			r.loads[holder]++
			r.standing = append(r.standing, claim)
		} else {
			holder = nobody
			stood := len(before) > 0 && before[0] == claim
			r.vacancies = append(r.vacancies, vacancy{i, f, hashAddr(contest.Addr), nobody, r.opening(contest.Addr, claim, known && !stood && claim.Node != r.node && !claim.free())})
		}
		r.holders, r.fields = append(r.holders, holder), append(r.fields, f)
	}
}

// inherit goes through the contests: what this node holds it keeps, what is open goes to its heir.
func (r *round) inherit() {
	wait := r.unsettled()
	rest := r.vacancies
	for i, contest := range r.contests {
		switch holder := r.holders[i]; {
		case holder == nobody:
			r.settle(&rest[0], wait)
			rest = rest[1:]
		case holder == r.me && (!r.Settling || r.answering[contest.Addr]):
			r.hold(contest)
		}
	}
}

// unsettled is how long addresses that nobody has ever held are to be left alone, since more of them may come.
func (r *round) unsettled() time.Duration {
	oldest := r.Now
	for i := range r.vacancies {
		v := &r.vacancies[i]
		if !v.claim.free() || r.Settling || len(r.contests[v.contest].Group.candidates) == 0 {
			continue
		}
		if v.since.After(r.newest) {
			r.newest = v.since
		}
		if v.since.Before(oldest) {
			oldest = v.since
		}
	}
	return min(quiet-r.Now.Sub(r.newest), restless-r.Now.Sub(oldest))
}

// settle decides about an address without a holder.
func (r *round) settle(v *vacancy, wait time.Duration) {
	contest := r.contests[v.contest]
	me, candidate := v.field.find(r.me)
	if len(contest.Group.candidates) == 0 {
		return
	}
	if r.Settling || len(r.roster.top(v.field)) == 0 {
		r.yield(contest, v)
		return
	}
	due := r.due(v, me, wait)
	switch {
	case candidate && due <= 0:
		delete(r.opened, contest.Addr)
		r.holders[v.contest] = r.me
		r.loads[r.me]++
		r.claim(contest, v.claim)
		return
	case candidate:
		r.again(due)
	}
	r.yield(contest, v)
}

// due is how long this node leaves an address alone.
func (r *round) due(v *vacancy, me seat, wait time.Duration) time.Duration {
	switch {
	case v.hearsay:
		wait = hearsay - r.Now.Sub(v.since)
	case !v.claim.free():
		wait = 0
	}
	if v.ready.IsZero() && wait <= 0 {
		v.ready = r.Now
	}
	r.opened[r.contests[v.contest].Addr] = v.opening
	switch {
	case v.ready.IsZero():
		return wait
	case v.heir == r.me:
		return 0
	default:
		return r.turn(v, me) - r.Now.Sub(v.ready)
	}
}

// turn is how long a node waits for those before it in line to claim an address.
func (r *round) turn(v *vacancy, me seat) time.Duration {
	before := 0
	for _, other := range v.field.seats {
		if !r.roster.alive[other.id] {
			continue
		}
		if other.weight > me.weight || other.weight == me.weight && other.score(v.key) > me.score(v.key) {
			before++
		}
	}
	return patience + time.Duration(before)*step
}

// yield goes on answering for an address that is open, if this node has so far: make before break. It does not when the
// node of a new claim answers for it too.
func (r *round) yield(contest Contest, v *vacancy) {
	if !r.answering[contest.Addr] || !contest.Here || v.hearsay && r.roster.author(v.claim) != nobody {
		return
	}
	since, seen := r.yielding[contest.Addr]
	if !seen {
		since = r.Now
	}
	r.yields[contest.Addr] = since
	if left := farewell - r.Now.Sub(since); left > 0 {
		r.hold(contest)
		r.again(left)
	}
}

func (r *round) hold(contest Contest) {
	r.answers[contest.Addr] = true
	r.decision.Hold = append(r.decision.Hold, Hold{Addr: contest.Addr})
}

// claim an address, and hold it. It need not be the last in order.
func (r *round) claim(contest Contest, before Claim) {
	r.answers[contest.Addr] = true
	place, _ := slices.BinarySearchFunc(r.decision.Hold, contest.Addr, func(h Hold, a netip.Addr) int { return h.Addr.Compare(a) })
	r.decision.Hold = slices.Insert(r.decision.Hold, place, Hold{contest.Addr, before.free()})
	r.decision.Claims = append(r.decision.Claims, Claim{Addr: contest.Addr, Node: r.node, Incarnation: r.instance, Term: before.Term + 1})
}

// release gives up those addresses that this node held until now and that are no contest any more, so that whoever gets
// them next is not bound by it.
func (r *round) release() {
	rest := r.contests
	for _, claim := range r.stood {
		for len(rest) > 0 && rest[0].Addr.Less(claim.Addr) {
			rest = rest[1:]
		}
		ours := claim.Node == r.node && claim.Incarnation == r.instance && r.Claims[claim.Addr] == claim
		if !ours || len(rest) > 0 && rest[0].Addr == claim.Addr {
			continue
		}
		r.decision.Claims = append(r.decision.Claims, Claim{Addr: claim.Addr, Incarnation: r.instance, Term: claim.Term + 1})
	}
}

// again asks for another decision after a while.
func (r *round) again(after time.Duration) {
	after = max(after, time.Millisecond)
	if r.decision.Wait == 0 || after < r.decision.Wait {
		r.decision.Wait = after
	}
}
