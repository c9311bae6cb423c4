package election

import (
	"cmp"
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// Claim says that a node holds an address. The strongest claim to an address counts. It is kept when its node is gone, so
// that its term is not used again.
type Claim struct {
	Addr netip.Addr
	// Node that holds the address; empty when the holder has released it.
	Node string
	// Incarnation numbers the processes of a node's speaker. The higher one is the later. A process does not hold what an
	// earlier one held.
	Incarnation uint64
	// Term rises by one with every change of the holder.
	Term uint64
	// Announced: this holder or one before it has announced the address, so nobody else used it then. A holder that is the
	// first to announce it claims first, and sets this by the same claim when it has probed. It lapses when nobody may answer.
	Announced bool
	// Shares says which nodes answer which clients; zero: only the holder answers. Revision rises by one with every table that
	// a holder makes within a term, and tells two tables of one claim apart.
	Shares   shares.Table
	Revision uint64
}

// free reports whether an address has no holder to take it over from: nobody has held it, or the holder released it.
func (c Claim) free() bool { return c.Node == "" }

// same reports whether two claims are one and the same, whether Announced already or not, and whatever table they have.
func (c Claim) same(other Claim) bool {
	c.Announced, c.Shares, c.Revision = other.Announced, other.Shares, other.Revision
	return c == other
}

// Beats reports whether a claim is stronger than another one to the same address: by term, then by hash. So all nodes prefer
// the same one of two claims that were made at the same time. Of one claim that is made twice, the one with Announced counts,
// and then the one of the higher revision.
func (c Claim) Beats(other Claim) bool {
	return c.compare(other) > 0
}

func (c Claim) compare(other Claim) int {
	if order := cmp.Compare(c.Term, other.Term); order != 0 || c.Node == other.Node {
		return cmp.Or(order, cmp.Compare(c.Incarnation, other.Incarnation), compareBool(c.Announced, other.Announced),
			cmp.Compare(c.Revision, other.Revision), c.Shares.Compare(other.Shares))
	}
	addr := hashAddr(c.Addr)
	a, b := rendezvous.Mix(rendezvous.Hash(c.Node)^addr), rendezvous.Mix(rendezvous.Hash(other.Node)^addr)
	if a > b || a == b && c.Node < other.Node {
		return 1
	}
	return -1
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// Claims are the strongest known claims by address. The order in which they were learned does not matter.
type Claims map[netip.Addr]Claim

// Learn adds a claim. It reports whether the claim is stronger than the known one.
func (c Claims) Learn(claim Claim) bool {
	known, ok := c[claim.Addr]
	if ok && !claim.Beats(known) {
		return false
	}
	c[claim.Addr] = claim
	return true
}
