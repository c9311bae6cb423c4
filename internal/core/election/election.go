// Package election decides which node holds an address on the segment. Its one job is that choice, made by every node for
// itself from what it knows, so that all come to the same end without asking anybody. It is pure: no I/O, no clock (the
// time is given); it refuses to know why a node may hold an address (internal/core/announce says which candidates there are)
// and how one learns who is alive (speaker/gossip).
//
// A node that holds an address has claimed it, with a term one higher than the claim before (DESIGN section 5). The
// strongest claim by a live candidate stands. Addresses without one are shared out, and every node works out alike who
// is heir to which: of the candidates with the highest weight those with the fewest addresses, and of these, by
// rendezvous hashing, one for each address. The heir alone claims.
//
// The files: claim.go says which claim is stronger, elector.go is what goes in and comes out, round.go the rules for what
// is held and what is open, share.go who is heir to what, balance.go the evening out, roster.go the live nodes in numbers.
package election

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

// Candidate is a node that may hold an address.
type Candidate struct {
	Node string
	// Weight of the node by preference; the highest wins before anything else is looked at.
	Weight int

	hash uint64
}

// NewCandidate makes a candidate, with the part of its hash that does not depend on the address.
func NewCandidate(node string, weight int) Candidate {
	return Candidate{Node: node, Weight: weight, hash: rendezvous.Hash(node)}
}

// before orders candidates of the same weight and load for an address: by score, then by name.
func (c Candidate) before(other Candidate, addr uint64) bool {
	a, b := rendezvous.Mix(c.hash^addr), rendezvous.Mix(other.hash^addr)
	if a != b {
		return a > b
	}
	return c.Node < other.Node
}

// Group is the nodes that may hold an address. Most addresses share one; it never changes. An Elector remembers by its
// pointer what it has worked out about a group, so a group that has not changed is better not made anew.
type Group struct {
	candidates []Candidate // in order of name
}

// NewGroup makes a group of candidates, in whatever order, each node once. It may name nodes that are not alive; the
// Elector leaves them out.
func NewGroup(candidates []Candidate) *Group {
	return &Group{slices.SortedFunc(slices.Values(candidates), func(a, b Candidate) int { return strings.Compare(a.Node, b.Node) })}
}

// Candidates in order of name; not to be changed.
func (g *Group) Candidates() []Candidate { return g.candidates }

// Find a node among the candidates.
func (g *Group) Find(node string) (Candidate, bool) {
	i, found := slices.BinarySearchFunc(g.candidates, node, func(c Candidate, node string) int { return strings.Compare(c.Node, node) })
	if !found {
		return Candidate{}, false
	}
	return g.candidates[i], true
}

func hashAddr(addr netip.Addr) uint64 {
	bytes := addr.As16()
	return rendezvous.Hash(bytes[:])
}
