// Package election decides which node holds an address on the segment. Its one job is that choice. Every node makes it for
// itself from what it knows, and all come to the same result without asking each other. It is pure: no I/O, no clock (the
// time is an input). It refuses to decide which nodes may hold an address (internal/core/announce gives the candidates and
// their weights) and to find out which nodes are alive (internal/core/detector does).
//
// The rules:
//
//  1. A node that holds an address has claimed it, with a term one higher than the claim before. The claim of the highest
//     term counts; a hash decides between equal terms. It is valid while its node is alive, has not restarted, and is a
//     candidate.
//  2. A holder with a valid claim keeps its address. A node that returns takes nothing back.
//  3. An address without a valid claim goes to its heir. Among the candidates the order of preference is: the highest
//     weight, then the fewest addresses, then the highest rank (Ranks), then rendezvous hashing. Every node computes the same
//     heir, and the heir claims at once. If it does not, the next candidate claims after a timeout.
//  4. When the addresses are spread unevenly for some time, nodes take over some after the other, more at a time the more there
//     are to move, until the counts of equally eligible nodes differ by at most one.
//  5. A holder that may not hold its address any more answers until its successor does, for a limited time.
//  6. A holder releases an address that does not exist any more, by a claim of nobody.
//  7. A claim says whether the address was ever announced. Whoever takes over one that was not has it probed first. It is not
//     moved to even out. When nobody may answer for the address for a while, its claim does not count as announced any more.
//  8. In a part of a segment that a cut switch separates from the holder, though the gossip reaches it, the first candidate
//     answers in its place, without a claim. Meanwhile nothing is evened out there.
//  9. A shared address has a holder as others have, who divides the clients among the eligible nodes by a table in the claim.
//     The servers of the table go on by it when the holder is gone, and take over the clients of a server that is gone.
//     A server that is new takes its part when addresses are evened out.
//  10. A speaker takes part only if it knows the other speakers and is not leaving. After its start, and after its link was
//     down, it waits for a grace period before it claims.
//
// The files: claim.go says which claim is stronger; elector.go has the input, the output and all delays; round.go is one
// decision about every address; preference.go is the order of preference among candidates, to which a new preference is
// added; ranks.go has preferences of nodes for single addresses; heirs.go assigns heirs by that order, as a stable matching;
// rebalance.go evens out, by the moves of moves.go; lapse.go says when a claim does not count as announced any more; nodeindex.go
// numbers the live nodes. Around the Elector: member.go says which speakers take part; grace.go has the grace periods;
// participant.go is an Elector with both; reunion.go says when addresses are announced once more. witness.go, rival.go, returned.go,
// resumed.go, correct.go and search.go take the segment as a second witness. edge.go and parts.go find out whether a switch is cut, and standin.go who
// stands in for a holder then. serving.go has the addresses that are shared.
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
	// Weight of the node. The highest weight is preferred before anything else is compared.
	Weight int

	hash uint64
}

// NewCandidate returns a candidate with the part of its hash that does not depend on the address.
func NewCandidate(node string, weight int) Candidate {
	return Candidate{Node: node, Weight: weight, hash: rendezvous.Hash(node)}
}

// Group is the candidates of an address. Most addresses share one group. A group never changes, and an Elector keeps by its
// pointer what it has computed for it. So within one decision, addresses with the same candidates should have the same group.
type Group struct {
	candidates []Candidate // in order of name
}

// NewGroup returns a group of candidates, given in any order, each node once. It may name nodes that are not alive: the
// Elector leaves them out.
func NewGroup(candidates []Candidate) *Group {
	sorted := slices.Clone(candidates)
	slices.SortFunc(sorted, func(a, b Candidate) int { return strings.Compare(a.Node, b.Node) })
	return &Group{sorted}
}

// Candidates returns the candidates in order of name. Do not change the list.
func (g *Group) Candidates() []Candidate { return g.candidates }

// Find returns the candidate of a node; false when the node is none.
func (g *Group) Find(node string) (Candidate, bool) {
	byName := func(c Candidate, node string) int { return strings.Compare(c.Node, node) }
	i, found := slices.BinarySearchFunc(g.candidates, node, byName)
	if !found {
		return Candidate{}, false
	}
	return g.candidates[i], true
}

func hashAddr(addr netip.Addr) uint64 {
	bytes := addr.As16()
	return rendezvous.Hash(bytes[:])
}
