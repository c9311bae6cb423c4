package election

import (
	"cmp"
	"net/netip"
)

// Claim says that a node holds an address. For each address the strongest claim counts; it is kept when its node is gone,
// for the sake of its term.
type Claim struct {
	Addr netip.Addr
	// Node that holds the address; "": nobody any more, the one that did says.
	Node string
	// Incarnation tells the run of the speaker that made the claim from later ones on the same node: what a process held, the
	// next one does not. Of two instances the higher is the later.
	Incarnation uint64
	// Term rises by one with every change of holder.
	Term uint64
}

// free reports whether an address has no holder to take it over from: it never had one, or was released.
func (c Claim) free() bool { return c.Node == "" }

// Beats reports whether a claim is stronger than another one to the same address: by term, then by hash, so that of two
// claims made at the same time without knowledge of each other every node prefers the same one.
func (c Claim) Beats(other Claim) bool {
	return c.compare(other) > 0
}

func (c Claim) compare(other Claim) int {
	if order := cmp.Compare(c.Term, other.Term); order != 0 || c.Node == other.Node {
		return cmp.Or(order, cmp.Compare(c.Incarnation, other.Incarnation))
	}
	a, b := NewCandidate(c.Node, 0), NewCandidate(other.Node, 0)
	if a.before(b, hashAddr(c.Addr)) {
		return 1
	}
	return -1
}

// Claims are the strongest claims known, by address. The order in which they were learned does not matter.
type Claims map[netip.Addr]Claim

// Learn adds a claim and reports whether it is news: stronger than what was known.
func (c Claims) Learn(claim Claim) bool {
	known, ok := c[claim.Addr]
	if ok && !claim.Beats(known) {
		return false
	}
	c[claim.Addr] = claim
	return true
}
