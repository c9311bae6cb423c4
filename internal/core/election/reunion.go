package election

import (
	"net/netip"
	"time"
)

const (
	// claimExchange is how long after a return the claims of both sides have been compared. A node that has lost an address
	// does not announce it again by then, so the node that has won it announces last.
	claimExchange = 100 * time.Millisecond
	// claimLag is how long a claim may take to be known to all. What was claimed so shortly before a node was missed may be
	// unknown to it, so that it claimed the same.
	claimLag = 10 * time.Second
	// maxAbsence is how long a node may be away to count as returned. After that the periodic announcements have to do.
	maxAbsence = 24 * time.Hour
)

// Reunion decides which addresses a node announces once more when speakers have returned that were taken for dead: those that
// it has claimed meanwhile or that were ceded to it, since the others may have announced the same ones. What it held before is
// not contested: whoever claimed that meanwhile has it now, by a higher term, and announces it. The zero value has seen no return.
type Reunion struct {
	// live are the nodes that were alive at the last call, and away those that are not any more, by node.
	live map[string]uint64
	away map[string]absence
	// claimed are the newest claims of this node to what it holds, and perhaps some to what it held.
	claimed map[netip.Addr]ownClaim
	// returned is when the last return was seen; zero once the addresses have been announced. contestedSince is since when
	// those who have returned were away.
	returned, contestedSince time.Time
}

// absence is since when an incarnation of a node's speaker is not alive.
type absence struct {
	incarnation uint64
	since       time.Time
}

// ownClaim is when this node made a claim, which is known by its term: the same may be made again, as announced.
type ownClaim struct {
	term uint64
	at   time.Time
}

// ReunionInput is what a pass of a node knows and has decided. Live is not changed afterwards.
type ReunionInput struct {
	Now      time.Time
	Node     string
	Live     map[string]uint64
	Claims   Claims
	Decision Decision
}

// Observe returns the addresses to announce once more now, in order, and how long to wait until there will be some; 0: there
// are none to wait for.
func (r *Reunion) Observe(in ReunionInput) (contested []netip.Addr, wait time.Duration) {
	r.observeClaims(in.Now, in.Decision)
	r.observeNodes(in.Now, in.Live)
	if r.returned.IsZero() {
		return nil, 0
	}
	if wait = claimExchange - in.Now.Sub(r.returned); wait > 0 {
		return nil, wait
	}
	for _, hold := range in.Decision.Hold {
		if r.isContested(in, hold.Addr) {
			contested = append(contested, hold.Addr)
		}
	}
	r.returned, r.contestedSince = time.Time{}, time.Time{}
	return contested, 0
}

// isContested reports whether another node may have announced an address: the newest claim to it was made since others were
// missed, or another node has claimed it and ceded it to this one.
func (r *Reunion) isContested(in ReunionInput, addr netip.Addr) bool {
	own := r.claimed[addr]
	claim, known := in.Claims[addr]
	if ceded := known && claim.Node == in.Node && claim.Term > own.term; ceded {
		r.claimed[addr] = ownClaim{claim.Term, in.Now}
		return true
	}
	return !own.at.Before(r.contestedSince.Add(-claimLag))
}

// observeNodes finds out who has gone and who has returned. A node whose speaker was restarted meanwhile does not return: it
// holds nothing of what it held.
func (r *Reunion) observeNodes(now time.Time, live map[string]uint64) {
	if r.away == nil {
		r.away = map[string]absence{}
	}
	for node, incarnation := range r.live {
		if live[node] != incarnation {
			r.away[node] = absence{incarnation, now}
		}
	}
	// order does not matter: each is judged alone, and the earliest time is kept
	for node, gone := range r.away {
		switch incarnation, alive := live[node]; {
		case alive && incarnation == gone.incarnation:
			r.returned = now
			if r.contestedSince.IsZero() || gone.since.Before(r.contestedSince) {
				r.contestedSince = gone.since
			}
			delete(r.away, node)
		case alive || now.Sub(gone.since) > maxAbsence:
			delete(r.away, node)
		}
	}
	r.live = live
}

// observeClaims remembers when addresses were claimed.
func (r *Reunion) observeClaims(now time.Time, decision Decision) {
	if r.claimed == nil {
		r.claimed = map[netip.Addr]ownClaim{}
	}
	for _, claim := range decision.Claims {
		if r.claimed[claim.Addr].term != claim.Term {
			r.claimed[claim.Addr] = ownClaim{claim.Term, now}
		}
	}
	if len(r.claimed) <= 2*len(decision.Hold)+16 {
		return
	}
	held := make(map[netip.Addr]ownClaim, len(decision.Hold))
	for _, hold := range decision.Hold {
		if own, known := r.claimed[hold.Addr]; known {
			held[hold.Addr] = own
		}
	}
	r.claimed = held
}
