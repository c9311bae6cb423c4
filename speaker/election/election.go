// Package election decides which node holds an address on the segment. Its one job is that choice, made alike by every
// node from the same facts, without asking anybody. It is pure: no I/O, no clock, no state; it refuses to know why a
// node may hold an address (speaker/announce says which candidates there are) and how one learns who is alive
// (speaker/members).
//
// The choice is by preference weight, then by rendezvous hashing (highest random weight): a node that leaves gives up
// only its own addresses, spread over all others, and one that joins takes only its share.
package election

import (
	"net/netip"
	"strings"
)

// Candidate is a node that may hold an address.
type Candidate struct {
	Node string
	// Weight of the node by preference; the highest wins before any hash is looked at.
	Weight int

	hash uint64
}

// NewCandidate makes a candidate, with the part of its hash that does not depend on the address.
func NewCandidate(node string, weight int) Candidate {
	return Candidate{Node: node, Weight: weight, hash: hashBytes([]byte(node))}
}

// Holder is the candidate that holds an address; false when there is none. The order of candidates does not matter.
func Holder(addr netip.Addr, candidates []Candidate) (Candidate, bool) {
	if len(candidates) == 0 {
		return Candidate{}, false
	}
	bytes := addr.As16()
	key := hashBytes(bytes[:])
	best := candidates[0]
	bestScore := mix(best.hash ^ key)
	for _, candidate := range candidates[1:] {
		score := mix(candidate.hash ^ key)
		if before(candidate, score, best, bestScore) {
			best, bestScore = candidate, score
		}
	}
	return best, true
}

// before orders candidates totally: weight, score, name.
func before(a Candidate, aScore uint64, b Candidate, bScore uint64) bool {
	if a.Weight != b.Weight {
		return a.Weight > b.Weight
	}
	if aScore != bScore {
		return aScore > bScore
	}
	return strings.Compare(a.Node, b.Node) < 0
}

// hashBytes is FNV-1a of 64 bits. Every version of the speaker must agree on it, so it is written down here.
func hashBytes(bytes []byte) uint64 {
	hash := uint64(14695981039346656037)
	for _, b := range bytes {
		hash = (hash ^ uint64(b)) * 1099511628211
	}
	return hash
}

// mix is the finalizer of MurmurHash3: every bit of the input changes every bit of the output with even chance.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
