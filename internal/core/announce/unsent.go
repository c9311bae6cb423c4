package announce

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Unsent say for each address of a Service which attributes of its advertisements are not sent to which peers, because the session is
// external or internal, so that they do not change what those routers prefer; nothing for the others.
func (e *Explainer) Unsent(s *lb.Service) (lines []string) {
	sharers := e.rules.localSharers()
	for _, addr := range s.Ingress {
		a := e.rules.address(s, addr)
		var texts []string
		peers := map[string][]string{}
		for _, peer := range e.rules.peers {
			for _, text := range e.unsent(a, sharers, peer) {
				if peers[text] == nil {
					texts = append(texts, text)
				}
				peers[text] = append(peers[text], peer.Name)
			}
		}
		for _, text := range texts {
			lines = append(lines, fmt.Sprintf("%s, attributes: %s: %s", addr, text, firstNames(peers[text])))
		}
	}
	return lines
}

// unsent says which attributes of the paths of an address are not sent to a peer, each once.
func (e *Explainer) unsent(a address, sharers localSharers, peer *lb.Peer) (texts []string) {
	r := e.rules
	key := addressKey{bgp: r.bgpMatches(a), family: lb.FamilyOf(a.addr)}
	meant := key.bgp.filter(func(i int) bool { return r.bgp[i].MatchesPeer(peer.Name) })
	if single := r.unaggregated(meant, key.family); single != "" {
		meant = single
	}
	if all := r.attributes(meant); all.LocalPref == nil && all.Prepend == 0 {
		return nil
	}
	for node := range r.nodes {
		if e.ineligibleBGP(a, key, peer, node) != Eligible || !r.mayServe(sharers, a.addr, node) {
			continue
		}
		attributes := r.attributes(r.bgpSelecting(meant, node))
		switch {
		case peer.External() && attributes.LocalPref != nil:
			texts = append(texts, fmt.Sprintf("localPref %d is for internal sessions, and not sent to external routers", *attributes.LocalPref))
		case !peer.External() && attributes.Prepend > 0:
			texts = append(texts, fmt.Sprintf("asPathPrepend %d is for external sessions, and not sent to internal routers", attributes.Prepend))
		}
	}
	slices.SortFunc(texts, strings.Compare)
	return slices.Compact(texts)
}
