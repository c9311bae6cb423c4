package election

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Who is the first to announce an address lets it go when another host turns out to use it, for a while: a host may answer later than the
// quick probes wait for. Who takes the address over meanwhile answers at once, as always, and goes on with that. No claim says how
// old its mark is, since an earlier version would not pass that on; each node has seen it by itself. And a claim whose address was let go
// is made anew without the mark, so that whoever holds it next probes it.

// trialTime is for how long another host may object to an address, counted anew with every holder who takes it over meanwhile.
const trialTime = 3 * time.Second

// newSegmentTime is for how long an address is on trial at a node that has been given other interfaces for it: who edits an advertisement
// moves the address to another segment, and what its holder has announced on the one before says nothing of that one.
const newSegmentTime = 10 * time.Second

// trial is an address that another host may still turn out to use.
type trial struct {
	// term of the claim by which it is announced, and since when that is known.
	term  uint64
	since time.Time
}

// trials are what an Elector remembers of such addresses.
type trials struct {
	trials map[netip.Addr]trial
	// unannounced are the contests whose claims had no mark at the last decision.
	unannounced map[netip.Addr]bool
	// moved is since when this node has other interfaces for an address than before.
	moved map[netip.Addr]time.Time
}

// noteTrials notes which addresses are announced for the first time. A node that is settling hears of old claims for the first time, and
// they tell nothing.
func (r *round) noteTrials() {
	before := r.unannounced
	r.unannounced = map[netip.Addr]bool{}
	if r.Settling || r.me == nobody {
		return
	}
	if r.trials.trials == nil {
		r.trials.trials = map[netip.Addr]trial{}
	}
	for i := range r.contests {
		addr := r.contests[i].Addr
		if !r.announced[i] {
			r.unannounced[addr] = true
		} else if before[addr] {
			r.trials.trials[addr] = trial{r.Claims[addr].Term, r.Now}
		}
	}
	maps.DeleteFunc(r.trials.trials, func(addr netip.Addr, t trial) bool {
		_, contested := r.contestOf(addr)
		return !contested || r.unannounced[addr] || r.Now.Sub(t.since) >= trialTime
	})
	if len(r.trials.trials) == 0 {
		r.trials.trials = nil // a map keeps the memory of all that it has had
	}
	// order does not matter: each address is noted alone
	for addr, t := range r.trials.trials {
		if term := r.Claims[addr].Term; term != t.term {
			r.trials.trials[addr] = trial{term, r.Now}
		}
	}
}

// noteMoved notes for which addresses this node has other interfaces than at the last decision.
func (r *round) noteMoved() {
	maps.DeleteFunc(r.moved, func(_ netip.Addr, since time.Time) bool { return r.Now.Sub(since) >= newSegmentTime })
	before := r.kept.contests
	if sameContests(before, r.contests) {
		return
	}
	for i := range r.contests {
		contest := &r.contests[i]
		for len(before) > 0 && before[0].Addr.Less(contest.Addr) {
			before = before[1:]
		}
		if len(before) > 0 && before[0].Addr == contest.Addr && before[0].Segment != contest.Segment && contest.Segment != 0 {
			if r.moved == nil {
				r.moved = map[netip.Addr]time.Time{}
			}
			r.moved[contest.Addr] = r.Now
		}
	}
}

// onTrial reports whether another host may still turn out to use an address of a claim. One that is shared is not left to it, since
// the other nodes would go on.
func (r *round) onTrial(contest Contest, claim Claim) bool {
	_, tried := r.trials.trials[contest.Addr]
	_, moved := r.moved[contest.Addr]
	return (tried || moved) && claim.Announced && !contest.Shared
}

// left reports whether this node has left an address to another host that uses it.
func (r *round) left(addr netip.Addr) bool {
	_, found := slices.BinarySearchFunc(r.Left, addr, netip.Addr.Compare)
	return found
}

// holdLeft goes on holding an address that is left to another host, by a claim that says that it is not announced.
func (r *round) holdLeft(contest Contest, claim Claim) {
	if !claim.Announced {
		r.hold(contest, claim)
		return
	}
	claim.Announced = false
	r.claim(contest, claim)
}
