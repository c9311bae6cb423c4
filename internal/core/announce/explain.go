package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
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
	ReasonAddressConflict = "AddressConflict"
)

// Explainer answers for many Services of one World.
type Explainer struct {
	rules *rules
	// anywhere caches the answer for addresses that any node can serve, which is most of them.
	anywhere map[question]*answer
	// peers caches what stands against each node announcing to a peer, leaving endpoints aside.
	peers map[audience][]IneligibleReason
}

// question is what the answer for an address depends on when any node can serve it.
type question struct {
	l2, bgp set
	family  lb.Family
}

// audience is a peer, told by a set of advertisements of a family of addresses.
type audience struct {
	bgp    set
	peer   string
	family lb.Family
}

// answer says in which ways an address is announced; when in none, what stands against each node.
type answer struct{ ways, against string }

// NewExplainer works out what does not depend on a Service. World.Members and World.Established come from the Speaker
// objects here; World.Node and World.Links are not looked at.
func NewExplainer(w *World) *Explainer {
	return &Explainer{newRules(w), map[question]*answer{}, map[audience][]IneligibleReason{}}
}

// Explain says whether a Service is announced by any node. It depends on the advertisements, endpoints, nodes and
// speakers only, not on which node holds an address, so that it changes when something changes for the user.
func (e *Explainer) Explain(s *lb.Service) Explanation {
	if len(s.Ingress) == 0 {
		return Explanation{false, ReasonNoAddress, "it has no address yet"}
	}
	reason := ReasonAnnounced
	var how []string
	for _, addr := range s.Ingress {
		ways, refused := e.address(e.rules.address(s, addr))
		if refused != nil {
			return *refused
		}
		how = append(how, addr.String()+" "+ways)
		if conflict, found := e.rules.world.Conflicts[addr]; found {
			if !conflict.Announced {
				return Explanation{false, ReasonAddressConflict, conflict.words(addr)}
			}
			reason = ReasonAddressConflict
			how = append(how, conflict.words(addr))
		}
	}
	return Explanation{true, reason, strings.Join(how, "; ")}
}

// words say what is wrong and what to do.
func (c Conflict) words(addr netip.Addr) string {
	text := fmt.Sprintf("%s is used by a host outside the cluster, %s on %s of node %s", addr, c.MAC, c.Interface, c.Node)
	if c.Announced {
		return text + "; the cluster announces it all the same, and clients may reach either: take the address from that host or out of the pool"
	}
	return text + "; it is not announced before that host gives it up: take it from the host, or out of the pool"
}

// address says in which ways an address is announced, or why it is not.
func (e *Explainer) address(a address) (string, *Explanation) {
	r := e.rules
	q := question{r.l2Matches(a), r.bgpMatches(a), lb.FamilyOf(a.addr)}
	if q.l2 == "" && q.bgp == "" {
		return "", &Explanation{false, ReasonNoAdvertisement, e.noAdvertisement(a)}
	}
	if !r.world.Endpoints[a.service.Key].Any(q.family) {
		return "", &Explanation{false, ReasonNoEndpoint, fmt.Sprintf("%s: no %s endpoint of the Service is ready", a.addr, q.family)}
	}
	found := e.answer(a, q)
	if found.ways == "" {
		return "", &Explanation{false, ReasonNoNode, a.addr.String() + ": " + found.against}
	}
	return found.ways, nil
}

func (e *Explainer) answer(a address, q question) *answer {
	if a.service.Local {
		return e.work(a, q)
	}
	if e.anywhere[q] == nil {
		e.anywhere[q] = e.work(a, q)
	}
	return e.anywhere[q]
}

// work answers a question. The words name peers that are to be told, not those that are at the moment: a router that
// comes and goes must not rewrite every Service, as long as another hears of them.
func (e *Explainer) work(a address, q question) *answer {
	r := e.rules
	var ways []string
	if q.l2 != "" && e.holdable(a, q.l2) {
		ways = append(ways, fmt.Sprintf("by layer 2 (%s)", names(q.l2, func(i int) string { return r.l2[i].Name })))
	}
	if q.bgp != "" && e.told(a, q) {
		ways = append(ways, fmt.Sprintf("by BGP to %s (%s)", strings.Join(e.audience(q), ", "), names(q.bgp, func(i int) string { return r.bgp[i].Name })))
	}
	if len(ways) == 0 {
		return &answer{against: e.noNode(a, q)}
	}
	return &answer{ways: strings.Join(ways, " and ")}
}

// holdable reports whether some node may hold an address.
func (e *Explainer) holdable(a address, l2 set) bool {
	group := e.rules.servers(a, e.rules.crowd(l2, a.addr))
	return group != nil && len(group.Candidates()) > 0
}

// told reports whether some node announces an address to some peer.
func (e *Explainer) told(a address, q question) bool {
	for _, peer := range e.rules.peers {
		for place, refusal := range e.refusals(peer, q) {
			if refusal == Eligible && e.rules.serving(a, e.rules.nodes[place].Name) {
				return true
			}
		}
	}
	return false
}

// audience are the peers that some node is to tell, whether or not it has a session at the moment.
func (e *Explainer) audience(q question) []string {
	var peers []string
	for _, peer := range e.rules.peers {
		if slices.ContainsFunc(e.refusals(peer, q), func(refusal IneligibleReason) bool { return refusal == Eligible || refusal == NoSession }) {
			peers = append(peers, peer.Name)
		}
	}
	return peers
}

// refusals say what stands against each node, in the order of rules.nodes, announcing to a peer, leaving endpoints aside.
func (e *Explainer) refusals(peer *lb.Peer, q question) []IneligibleReason {
	key := audience{q.bgp, peer.Name, q.family}
	if known, ok := e.peers[key]; ok {
		return known
	}
	heard := q.bgp.where(func(i int) bool { return e.rules.bgp[i].MatchesPeer(peer.Name) })
	refusals := make([]IneligibleReason, len(e.rules.nodes))
	for place, n := range e.rules.nodes {
		refusals[place] = e.refusal(peer, heard, q.family, place, n)
	}
	e.peers[key] = refusals
	return refusals
}

func (e *Explainer) refusal(peer *lb.Peer, heard set, family lb.Family, place int, n node) IneligibleReason {
	r := e.rules
	sessions, there := r.world.Established[n.Name]
	switch {
	case n.refusal != Eligible:
		return n.refusal
	case !peer.NodeSelectors.Match(n.Labels) || heard.where(func(i int) bool { return r.bgp[i].selected[place] }) == "":
		return NotSelected
	case !there:
		return SpeakerMissing
	case !slices.ContainsFunc(r.sessionsWith(peer, n.Node), func(s Session) bool { return s.carries(family) }):
		return OtherFamily
	case !sessions[peer.Name]:
		return NoSession
	default:
		return Eligible
	}
}

// refusalL2 says why a node does not hold an address.
func (e *Explainer) refusalL2(a address, matches set, place int) IneligibleReason {
	r := e.rules
	n := r.nodes[place]
	switch {
	case n.refusal != Eligible:
		return n.refusal
	case matches.where(func(i int) bool { return r.l2[i].weights[place] >= 0 }) == "":
		return NotSelected
	case !n.alive:
		return SpeakerMissing
	case !r.serving(a, n.Name):
		return NoLocalEndpoint
	default:
		return Eligible
	}
}

func (e *Explainer) noAdvertisement(a address) string {
	if a.pool == nil {
		return fmt.Sprintf("%s is in no IPAddressPool", a.addr)
	}
	return fmt.Sprintf("no L2Advertisement or BGPAdvertisement selects this Service and pool %s of %s", a.pool.Name, a.addr)
}

// noNode names every node and what stands against it, nodes with the same reason together.
func (e *Explainer) noNode(a address, q question) string {
	r := e.rules
	if q.l2 == "" && len(r.peers) == 0 {
		return "there is no BGPPeer to announce it to"
	}
	byRefusal := map[IneligibleReason][]string{}
	for place, n := range r.nodes {
		refusal := e.against(a, q, place)
		byRefusal[refusal] = append(byRefusal[refusal], n.Name)
	}
	if len(byRefusal) == 0 {
		return "the cluster has no nodes"
	}
	var parts []string
	for refusal, nodes := range byRefusal {
		parts = append(parts, fmt.Sprintf("%s: %s", some(nodes), refusal))
	}
	slices.Sort(parts)
	return "no node announces it: " + strings.Join(parts, "; ")
}

// against is what stands against a node, the reason nearest to success over all ways and peers.
func (e *Explainer) against(a address, q question, place int) IneligibleReason {
	nearest := NotSelected
	if q.l2 != "" {
		nearest = e.refusalL2(a, q.l2, place)
	}
	if q.bgp == "" || nearest != NotSelected {
		return nearest
	}
	for _, peer := range e.rules.peers {
		refusal := e.refusals(peer, q)[place]
		if refusal == Eligible {
			refusal = NoLocalEndpoint // else it would announce
		}
		if nearest == NotSelected || refusal > nearest {
			nearest = refusal
		}
	}
	return nearest
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
