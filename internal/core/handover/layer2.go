package handover

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/election"
)

// Layer2 is what a node knows, after an election, of who holds the addresses of layer 2.
type Layer2 struct {
	// Node that decides.
	Node string
	// Claims that it knows of others, and those that it makes now.
	Claims, Made election.Claims
	// Alive are the incarnations of the speakers that are alive, by node, and Silent are nodes that are silent and keep their addresses.
	Alive  map[string]uint64
	Silent []election.Silence
	// Alone are lists of one node, by the node, which many addresses share. It is filled as they are needed.
	Alone map[string][]string
}

// Holders are the nodes that attract the packets of an address, sorted, and the revision of how they divide the clients. Here: this node
// holds it by the election. A claim whose maker has died, or restarted since, holds nothing.
func (l *Layer2) Holders(addr netip.Addr, here bool) (holders []string, revision uint64) {
	claim := l.Claims[addr]
	made, changed := l.Made[addr]
	switch {
	case here && changed: // its table may be new
		claim = made
		fallthrough
	case here:
		holders = l.only(l.Node)
	case !changed && claim.Node != l.Node && l.lives(claim):
		holders = l.only(claim.Node)
	}
	if claim.Shares.Shared() {
		return l.servers(claim), claim.Revision
	}
	return holders, 0
}

// servers are those nodes that answer the clients of a shared address, and live or are silent and keep their addresses.
func (l *Layer2) servers(claim election.Claim) []string {
	return slices.DeleteFunc(slices.Clone(claim.Shares.Servers()), func(node string) bool {
		_, alive := l.Alive[node]
		return !alive && !l.silent(node)
	})
}

// lives reports whether the process that made a claim lives, or its node is silent and keeps its addresses.
func (l *Layer2) lives(claim election.Claim) bool {
	if incarnation, alive := l.Alive[claim.Node]; alive {
		return incarnation == claim.Incarnation
	}
	return l.silent(claim.Node)
}

func (l *Layer2) silent(node string) bool {
	return slices.ContainsFunc(l.Silent, func(s election.Silence) bool { return s.Node == node })
}

// only is a list of one node.
func (l *Layer2) only(node string) []string {
	if l.Alone[node] == nil {
		l.Alone[node] = []string{node}
	}
	return l.Alone[node]
}
