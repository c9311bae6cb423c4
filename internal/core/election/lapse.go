package election

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// Announced of a claim says that nobody else used the address then. That holds for as long as somebody answers for it: once nobody
// may, another host can take it that finds it free. So after a while the mark lapses, and whoever claims the address next probes it,
// its holder included. What each node has seen of this it knows by itself; one that has just started has not. So the holder says it,
// too, by its claim made anew without the mark.

// lapseAfter is for how long nobody may have answered for an address until its claim does not count as announced any more. Hosts that
// probe before they take an address, as RFC 5227 says, need about as long; a pod that is replaced often less.
const lapseAfter = 3 * time.Second

// vacancy is an address that no live node may answer for, though its claim has the mark.
type vacancy struct {
	claim Claim
	// since is since when it is known; long: it may have been so for long before.
	since time.Time
	long  bool
	// back is since when the holder may answer again; zero: it may not.
	back time.Time
	// told: this node has said that the mark has lapsed.
	told bool
}

// vacancies are what an Elector remembers of such addresses.
type vacancies struct {
	vacant map[netip.Addr]vacancy
	// wereUnheld are the addresses that had no holder at the last decision, in order. tookPart: this node might have held some.
	wereUnheld []netip.Addr
	tookPart   bool
}

// noteVacant notes which addresses nobody may answer for, and of which of them the mark has lapsed.
func (r *round) noteVacant() {
	before := r.vacant
	r.vacant = map[netip.Addr]vacancy{}
	for i := range r.unheld {
		u := &r.unheld[i]
		if !u.claim.Announced || u.claim.free() {
			continue
		}
		addr := r.contests[u.contest].Addr
		if v, vacant := r.vacancyOf(addr, u, before); vacant {
			r.tellOfLapse(u, &v)
			r.vacant[addr] = v
		}
	}
	// order does not matter: each address is noted alone
	for addr, v := range before {
		r.noteBack(addr, v)
	}
}

// vacancyOf is what there is to remember of an address without a holder; false: some node may answer for it, and nobody could for a
// moment at most.
func (r *round) vacancyOf(addr netip.Addr, u *unheldAddress, before map[netip.Addr]vacancy) (vacancy, bool) {
	possible := len(r.nodes.preferred(u.group)) > 0
	v, known := before[addr]
	if !known || u.claim.Node != r.node && v.claim.same(u.claim) && v.answeredSince(r.Now) {
		v = vacancy{since: r.Now, long: r.unknownUntilNow(addr, u.claim)}
	}
	if possible && !v.lapsed(r.Now) {
		return vacancy{}, false
	}
	v.told = v.told && v.claim.Node == u.claim.Node // A speaker of version 1 gives the mark back.
	v.claim, v.back = u.claim, time.Time{}
	return v, true
}

// unknownUntilNow reports whether the mark of a claim that is not valid tells nothing of the time until now: the address was no
// contest, so others may have used it, or its holder had not announced it, and this is an older claim of higher term.
func (r *round) unknownUntilNow(addr netip.Addr, claim Claim) bool {
	if held, was := r.heldBefore(addr); was {
		return !held.Announced && !held.same(claim)
	}
	_, was := slices.BinarySearchFunc(r.wereUnheld, addr, netip.Addr.Compare)
	return !was && r.tookPart
}

// heldBefore is the claim to an address that was valid at the last decision; false: there was none.
func (r *round) heldBefore(addr netip.Addr) (Claim, bool) {
	i, was := slices.BinarySearchFunc(r.previousValid, addr, func(c Claim, a netip.Addr) int { return c.Addr.Compare(a) })
	if !was {
		return Claim{}, false
	}
	return r.previousValid[i], true
}

// noteBack goes on remembering a vacancy though the claim is valid again: its mark has lapsed all the same, until the holder claims
// anew. One of an earlier version does not.
func (r *round) noteBack(addr netip.Addr, v vacancy) {
	i, found := r.contestOf(addr)
	if !found || r.holders[i] == nobody || !v.lapsed(r.Now) || !v.claim.same(r.Claims[addr]) {
		return
	}
	if v.back.IsZero() {
		v.back = r.Now
	}
	if r.holders[i] != r.me {
		if v.answeredSince(r.Now) {
			return
		}
		r.wakeAfter(lapseAfter - r.Now.Sub(v.back)) // Until then it counts as an address that is not moved.
	}
	r.vacant[addr], r.announced[i] = v, false
}

// answeredSince reports whether the holder has been back for so long that the mark counts again, though it has not claimed anew.
func (v vacancy) answeredSince(now time.Time) bool {
	return !v.back.IsZero() && now.Sub(v.back) >= lapseAfter
}

func (v vacancy) lapsed(now time.Time) bool { return v.long || now.Sub(v.since) >= lapseAfter }

// lapsed reports whether the mark of the claim to an address has lapsed.
func (r *round) lapsed(addr netip.Addr) bool {
	v, vacant := r.vacant[addr]
	return vacant && v.lapsed(r.Now)
}

// counted is what a claim counts for: without its mark and its table when the mark has lapsed.
func (r *round) counted(claim Claim) Claim {
	if len(r.vacant) > 0 && r.lapsed(claim.Addr) {
		claim.Announced, claim.Shares, claim.Revision = false, shares.Table{}, 0
	}
	return claim
}

// tellOfLapse says by a claim that the mark has lapsed, if this node is the one to say it. While others are silent nobody says it: they
// may answer for the address, by a claim of the same term.
func (r *round) tellOfLapse(u *unheldAddress, v *vacancy) {
	holder := r.nodes.liveHolder(u.claim)
	first := slices.Index(r.nodes.alive, true)
	if v.told || r.Settling || r.me == nobody || len(r.Silent) > 0 || holder != r.me && (holder != nobody || first != r.me) ||
		len(r.nodes.preferred(u.group)) > 0 {
		return
	}
	if wait := lapseAfter - r.Now.Sub(v.since); wait > 0 {
		r.wakeAfter(wait)
		return
	}
	claim := Claim{Addr: u.claim.Addr, Incarnation: r.incarnation, Term: u.claim.Term + 1}
	if holder == r.me {
		claim.Node = r.node
	}
	r.decision.Claims = append(r.decision.Claims, claim)
	v.told = true
}

// outlasts reports whether this node answers by a claim that was as strong until another one came that says nothing but that nobody
// could answer, or that nobody holds the address.
func (r *round) outlasts(u *unheldAddress) bool {
	if u.claim.Announced || !r.answered[u.claim.Addr] {
		return false
	}
	held, was := r.heldBefore(u.claim.Addr)
	return was && held.Node == r.node && held.Announced && held.Term == u.claim.Term
}

// releaseVacant releases the addresses of this node that it could not answer for and that are no contest any more.
func (r *round) releaseVacant() {
	for _, addr := range slices.SortedFunc(maps.Keys(r.vacant), netip.Addr.Compare) {
		claim := r.vacant[addr].claim
		ours := claim.Node == r.node && claim.Incarnation == r.incarnation && r.Claims[addr].same(claim)
		if _, contested := r.contestOf(addr); ours && !contested {
			r.decision.Claims = append(r.decision.Claims, Claim{Addr: addr, Incarnation: r.incarnation, Term: claim.Term + 1})
		}
	}
}

// endVacant remembers which addresses have no holder.
func (r *round) endVacant() {
	r.wereUnheld, r.tookPart = r.wereUnheld[:0], r.me != nobody && !r.Settling
	for i := range r.unheld {
		r.wereUnheld = append(r.wereUnheld, r.contests[r.unheld[i].contest].Addr)
	}
	r.wereUnheld = spare(r.wereUnheld)
}
