package announce

import (
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// affinityText says in the condition what becomes of session affinity at an address; "" where no Service asks for it. It is the same
// whichever node is best.
func (r *rules) affinityText(a address, bgp advertisementSet) string {
	switch {
	case !a.service.Affinity && len(r.affine[a.addr]) == 0:
		return ""
	case r.unaggregated(bgp, lb.FamilyOf(a.addr)) == "":
		return ", where session affinity is not kept, since prefixes are aggregated"
	case !a.service.Affinity:
		return ", where one node is best and the others are backup, for the session affinity of another Service at this address"
	default:
		return ", where one node is best and the others are backup, for session affinity"
	}
}

// Preference says for each address of a Service that is ranked which nodes announce it to each peer, the best first; nothing for the
// others.
func (e *Explainer) Preference(s *lb.Service) (lines []string) {
	r := e.rules
	for _, addr := range s.Ingress {
		a := r.address(s, addr)
		sharers := r.affine[addr]
		if s.Affinity && !slices.ContainsFunc(sharers, func(other *lb.Service) bool { return other.Key == s.Key }) {
			sharers = append(slices.Clip(sharers), s)
		}
		if len(sharers) == 0 {
			continue
		}
		for _, peer := range r.peers {
			if names := e.preferred(a, sharers, peer); len(names) > 0 {
				lines = append(lines, addr.String()+", session affinity: "+peer.Name+" prefers "+strings.Join(names, ", then "))
			}
		}
	}
	return lines
}

// preferred are the nodes that announce an address to a peer, the best first.
func (e *Explainer) preferred(a address, sharers []*lb.Service, peer *lb.Peer) (names []string) {
	r, seed := e.rules, addressSeed(a.addr)
	key := addressKey{bgp: r.bgpMatches(a), family: lb.FamilyOf(a.addr)}
	announcing := slices.Clone(r.servingContenders(a.addr, sharers))
	announcing = slices.DeleteFunc(announcing, func(c contender) bool { return e.ineligibleBGP(a, key, peer, c.node) != Eligible })
	slices.SortFunc(announcing, func(x, y contender) int {
		if x.precedes(&y, seed, y.score(seed)) {
			return -1
		}
		return 1
	})
	for _, c := range announcing {
		names = append(names, r.nodes[c.node].Name)
	}
	return names
}
