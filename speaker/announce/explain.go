package announce

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/lb"
)

// Explanation says whether a Service is announced, or why not, in words a person can act on.
type Explanation struct {
	Announced bool
	// Reason in CamelCase, as conditions and Events have it.
	Reason string
	// Message in words.
	Message string
}

// Reasons of an Explanation.
const (
	ReasonAnnounced       = "Announced"
	ReasonNoAddress       = "NoAddress"
	ReasonNoAdvertisement = "NoAdvertisement"
	ReasonNoEndpoint      = "NoEndpoint"
	ReasonNoNode          = "NoNode"
)

// Explainer answers for many Services of one World.
type Explainer struct {
	rules *rules
	// anywhere caches in which ways addresses are announced that any node can serve, by their advertisements.
	anywhere map[[2]set]string
}

// NewExplainer works out what does not depend on a Service. World.Members and World.Established come from the Speaker
// objects here; World.Node and World.Links are not looked at.
func NewExplainer(w *World) *Explainer { return &Explainer{newRules(w), map[[2]set]string{}} }

// Explain says whether a Service is announced by any node. It depends on the advertisements, endpoints, nodes and
// speakers only, not on which node holds an address, so that it changes when something changes for the user.
func (e *Explainer) Explain(s *lb.Service) Explanation {
	if len(s.Ingress) == 0 {
		return Explanation{false, ReasonNoAddress, "it has no address yet"}
	}
	var how []string
	for _, addr := range s.Ingress {
		ways, refused := e.address(e.rules.address(s, addr))
		if refused != nil {
			return *refused
		}
		how = append(how, addr.String()+" "+ways)
	}
	return Explanation{true, ReasonAnnounced, strings.Join(how, "; ")}
}

// address says in which ways an address is announced, or why it is not.
func (e *Explainer) address(a address) (string, *Explanation) {
	r := e.rules
	l2, bgp := r.l2Matches(a), r.bgpMatches(a)
	if l2 == "" && bgp == "" {
		return "", &Explanation{false, ReasonNoAdvertisement, e.noAdvertisement(a)}
	}
	if family := lb.FamilyOf(a.addr); !r.world.Endpoints[a.service.Key].Any(family) {
		return "", &Explanation{false, ReasonNoEndpoint, fmt.Sprintf("%s: no %s endpoint of the Service is ready", a.addr, family)}
	}
	ways, known := e.anywhere[[2]set{l2, bgp}]
	if a.service.Local || !known {
		ways = e.ways(a, l2, bgp)
	}
	if !a.service.Local {
		e.anywhere[[2]set{l2, bgp}] = ways
	}
	if ways == "" {
		return "", &Explanation{false, ReasonNoNode, e.noNode(a, l2, bgp)}
	}
	return ways, nil
}

// ways in which an address is announced, in words; empty when no node announces it.
func (e *Explainer) ways(a address, l2, bgp set) string {
	r := e.rules
	var ways []string
	if l2 != "" && len(r.servers(a, r.l2Candidates(l2))) > 0 {
		ways = append(ways, fmt.Sprintf("by layer 2 (%s)", names(l2, func(i int) string { return r.l2[i].Name })))
	}
	if peers := e.told(a, bgp); len(peers) > 0 {
		ways = append(ways, fmt.Sprintf("by BGP to %s (%s)", strings.Join(peers, ", "), names(bgp, func(i int) string { return r.bgp[i].Name })))
	}
	return strings.Join(ways, " and ")
}

// told are the peers that some node announces an address to.
func (e *Explainer) told(a address, matches set) []string {
	var told []string
	for _, peer := range e.rules.peers {
		if slices.ContainsFunc(e.rules.nodes, func(n node) bool { return e.refusalBGP(a, matches, n, peer) == Willing }) {
			told = append(told, peer.Name)
		}
	}
	return told
}

// refusalBGP says why a node does not announce an address to a peer.
func (e *Explainer) refusalBGP(a address, matches set, n node, peer *lb.Peer) Refusal {
	r := e.rules
	place := r.place(n.Name)
	mine := matches.where(func(i int) bool { return r.bgp[i].MatchesPeer(peer.Name) && r.bgp[i].selected[place] })
	switch {
	case n.refusal != Willing:
		return n.refusal
	case mine == "" || !peer.NodeSelectors.Match(n.Labels):
		return NotSelected
	case !n.alive:
		return SpeakerMissing
	case !r.serving(a, n.Name):
		return NoLocalEndpoint
	case !r.world.Established[n.Name][peer.Name]:
		return NoSession
	default:
		return Willing
	}
}

// refusalL2 says why a node does not hold an address.
func (e *Explainer) refusalL2(a address, matches set, n node) Refusal {
	r := e.rules
	place := r.place(n.Name)
	switch {
	case n.refusal != Willing:
		return n.refusal
	case matches.where(func(i int) bool { return r.l2[i].weights[place] >= 0 }) == "":
		return NotSelected
	case !n.alive:
		return SpeakerMissing
	case !r.serving(a, n.Name):
		return NoLocalEndpoint
	default:
		return Willing
	}
}

func (e *Explainer) noAdvertisement(a address) string {
	if a.pool == nil {
		return fmt.Sprintf("%s is in no IPAddressPool", a.addr)
	}
	return fmt.Sprintf("no L2Advertisement or BGPAdvertisement selects this Service and pool %s of %s", a.pool.Name, a.addr)
}

// noNode names every node and what stands against it, nodes with the same reason together.
func (e *Explainer) noNode(a address, l2, bgp set) string {
	byRefusal := map[Refusal][]string{}
	for _, n := range e.rules.nodes {
		refusal := NotSelected
		if l2 != "" {
			refusal = e.refusalL2(a, l2, n)
		}
		if bgp != "" && refusal == NotSelected {
			for _, peer := range e.rules.peers {
				refusal = max(refusal, e.refusalBGP(a, bgp, n, peer))
			}
		}
		byRefusal[refusal] = append(byRefusal[refusal], n.Name)
	}
	if len(byRefusal) == 0 {
		return "the cluster has no nodes"
	}
	if bgp != "" && l2 == "" && len(e.rules.peers) == 0 {
		return "there is no BGPPeer to announce it to"
	}
	var parts []string
	for refusal, nodes := range byRefusal {
		parts = append(parts, fmt.Sprintf("%s: %s", some(nodes), refusal))
	}
	slices.SortFunc(parts, cmp.Compare)
	return fmt.Sprintf("%s: no node announces it: %s", a.addr, strings.Join(parts, "; "))
}

// some names up to five nodes.
func some(nodes []string) string {
	const most = 5
	if len(nodes) <= most {
		return strings.Join(nodes, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(nodes[:most], ", "), len(nodes)-most)
}

func names(s set, name func(int) string) string {
	var list []string
	for place := range s.all() {
		list = append(list, name(place))
	}
	return strings.Join(list, ", ")
}
