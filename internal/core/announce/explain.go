package announce

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Explanation says whether a Service is announced, or why not, in words that a person can act on.
type Explanation struct {
	Announced bool
	// Reason is the name of one of the reasons in conditions.go.
	Reason string
	// Message is the same as long as the facts are: it has no list that changes when a node, a router or another Service comes
	// or goes, since all Services with the same would have to be written again.
	Message string
	// Nodes says of every node what stands against it, if no node announces the Service. It is for a person who asks now.
	Nodes string
}

// Explainer explains the Services of one World.
type Explainer struct {
	rules *rules
	// weigher is nil if no advertisement weighs by endpoints.
	weigher *weigher
	// cluster caches the announcements of addresses that any node can serve, which are most.
	cluster map[addressKey]*announcement
	// peers caches the reasons against each node announcing to a peer, the Service's endpoints left aside.
	peers map[peerKey][]IneligibleReason
	// beyond caches the prefixes that nodes hold back from peers with maximumPrefixes.
	beyond map[nodePeer]map[netip.Prefix]bool
	// misweighed caches what is said of nodes whose annotation is no weight.
	misweighed map[advertisementSet]string
}

// nodePeer is a node, by its index, and the name of a peer.
type nodePeer struct {
	node int
	peer string
}

// addressKey is what the announcement of an address depends on if any node can serve it.
type addressKey struct {
	l2, bgp advertisementSet
	family  lb.Family
	// remark is what the condition says of session affinity and weights, nearness what it says of nodes near endpoints.
	remark, nearness string
}

// peerKey is a peer to which a set of advertisements announces addresses of a family.
type peerKey struct {
	bgp    advertisementSet
	peer   string
	family lb.Family
}

// announcement is how an address is announced, in words. If it is not, nearest says what stands against the node that is nearest
// to announcing it, and nodes what stands against each; reason is that of the condition. held: a node may hold it by layer 2; only: and no node
// announces it by BGP.
type announcement struct {
	protocols, nearest, nodes, reason string
	held, only                        bool
}

// NewExplainer works out what does not depend on a Service. World.Members and World.Established come from the Speaker
// objects; World.Node is not used. Leave World.Links nil: if it is not, only nodes with a link count for layer 2.
func NewExplainer(w *World) *Explainer {
	r := newRules(w)
	return &Explainer{
		rules: r, weigher: r.weigher(r.localSharers()), cluster: map[addressKey]*announcement{}, peers: map[peerKey][]IneligibleReason{},
		beyond: map[nodePeer]map[netip.Prefix]bool{}, misweighed: map[advertisementSet]string{},
	}
}

// Explain says whether any node announces a Service. The answer depends on the advertisements, endpoints, nodes and
// speakers only, and not on which node holds an address, so that it changes only when something changes for the user.
func (e *Explainer) Explain(s *lb.Service) Explanation {
	if len(s.Ingress) == 0 {
		return Explanation{Reason: ReasonNoAddress.Name, Message: "it has no address yet"}
	}
	reason := ReasonAnnounced
	var texts []string
	for _, addr := range s.Ingress {
		protocols, failure := e.address(e.rules.address(s, addr))
		if failure != nil {
			return *failure
		}
		texts = append(texts, addr.String()+" "+protocols+standInText(e.rules.world.StandIns[addr]))
		if conflict, found := e.rules.world.Conflicts[addr]; found {
			if !conflict.Announced {
				return Explanation{Reason: ReasonAddressConflict.Name, Message: conflict.message(addr)}
			}
			reason = ReasonAddressConflict
			texts = append(texts, conflict.message(addr))
		}
	}
	return Explanation{Announced: true, Reason: reason.Name, Message: strings.Join(texts, "; ")}
}

// World is the one that it explains. Do not change it.
func (e *Explainer) World() *World { return e.rules.world }

// Alone reports whether the explanation of a Service with an address follows, as far as the address goes, from the Service, its endpoints,
// and what is no Service.
func (e *Explainer) Alone(addr netip.Addr) bool {
	return !e.anyMaximum() && len(e.rules.affine[addr]) == 0 && (e.weigher == nil || len(e.weigher.cluster[addr]) < 2)
}

// standInText says who stands in for whom.
func standInText(standIns []StandIn) (text string) {
	for _, s := range standIns {
		text += fmt.Sprintf(", %s stands in for %s, which its part of the segment does not lead to: is a switch cut?", s.Node, s.Holder)
	}
	return text
}

// message says what is wrong and what to do.
func (c Conflict) message(addr netip.Addr) string {
	if c.Unlisted {
		return fmt.Sprintf("%s is one of so many addresses used by other hosts that the Speaker object of node %s has no room for more than their ranges, "+
			"in status.layer2.moreConflicts; they are not announced before those hosts give them up. The log of its speaker names the hosts", addr, c.Node)
	}
	text := fmt.Sprintf("%s is used by a host outside the cluster, %s on %s of node %s", addr, c.MAC, c.Interface, c.Node)
	if c.By != "" {
		text = fmt.Sprintf("%s is used by node %s on its interface %s, %s, without its speaker: something else has given it the address (heard on %s of node %s)",
			addr, c.By, c.ByInterface, c.MAC, c.Interface, c.Node)
	}
	if c.Proxy {
		text += "; one MAC answers for several addresses: a proxy? conflictDetection of the L2Advertisement can be Warn or Off"
	}
	if c.Elsewhere {
		return text + "; it is announced on other interfaces, and not on that one before that host gives it up: take it from the host, or out of the pool"
	}
	if c.Announced {
		return text + "; the cluster announces it all the same, and clients may reach either: take the address from that host or out of the pool"
	}
	return text + "; it is not announced before that host gives it up: take it from the host, or out of the pool"
}

// address says by which protocols an address is announced, or why it is not.
func (e *Explainer) address(a address) (string, *Explanation) {
	key := e.keyOf(a)
	if c := e.rules.askAddress(a, key.l2 != "" || key.bgp != ""); c != nil {
		return "", &Explanation{Reason: c.Name, Message: c.message(e.rules, a)}
	}
	found := e.announcement(a, key)
	if found.protocols == "" {
		return "", &Explanation{Reason: found.reason, Message: a.addr.String() + ": " + found.nearest, Nodes: found.nodes}
	}
	return found.protocols, nil
}

// keyOf is what the announcement of an address depends on.
func (e *Explainer) keyOf(a address) addressKey {
	key := addressKey{l2: e.rules.l2Matches(a), bgp: e.rules.bgpMatches(a), family: lb.FamilyOf(a.addr)}
	key.remark = cmp.Or(e.rules.affinityText(a, key.bgp), e.weightText(a, key.bgp))
	key.nearness = e.rules.nearnessText(a, key.l2)
	return key
}

// OnSegment are the addresses of a Service that is announced which one node is to hold by layer 2.
func (e *Explainer) OnSegment(s *lb.Service) []netip.Addr {
	return e.onSegment(s, func(a *announcement) bool { return a.held })
}

// OnlyOnSegment are those of OnSegment that are not announced by BGP.
func (e *Explainer) OnlyOnSegment(s *lb.Service) []netip.Addr {
	return e.onSegment(s, func(a *announcement) bool { return a.held && a.only })
}

func (e *Explainer) onSegment(s *lb.Service, counts func(*announcement) bool) (held []netip.Addr) {
	for _, addr := range s.Ingress {
		a := e.rules.address(s, addr)
		if key := e.keyOf(a); key.l2 != "" && counts(e.announcement(a, key)) {
			held = append(held, addr)
		}
	}
	return held
}

// byLayer2 are the words of the condition about an address that a node is to hold.
const byLayer2 = "by layer 2 ("

// byBGP are those about an address that any number of nodes announces.
const byBGP = "by BGP ("

// SaysLayer2 reports whether the message of the condition Announced says that an address is announced by layer 2.
func SaysLayer2(message string) bool { return strings.Contains(message, " "+byLayer2) }

// SaysBGP reports the same of BGP.
func SaysBGP(message string) bool { return strings.Contains(message, " "+byBGP) }

func (e *Explainer) announcement(a address, key addressKey) *announcement {
	if a.service.Local || e.anyMaximum() {
		return e.compute(a, key)
	}
	if e.cluster[key] == nil {
		e.cluster[key] = e.compute(a, key)
	}
	return e.cluster[key]
}

// compute the announcement of an address. It names the advertisements and neither nodes nor peers: those come and go.
func (e *Explainer) compute(a address, key addressKey) *announcement {
	r := e.rules
	var protocols []string
	held := key.l2 != "" && e.heldByLayer2(a, key.l2)
	if held {
		protocols = append(protocols, fmt.Sprintf(byLayer2+"%s)", names(key.l2, func(i int) string { return r.l2[i].Name }))+key.nearness+r.sharedText(a, key.l2))
	}
	if key.bgp != "" && e.announcedByBGP(a, key) {
		by := r.announceable(key.bgp, key.family)
		protocols = append(protocols, fmt.Sprintf(byBGP+"%s)", names(by, func(i int) string { return r.bgp[i].Name }))+key.remark)
	}
	var found *announcement
	if len(protocols) == 0 {
		found = e.noNode(a, key)
	} else {
		found = &announcement{protocols: strings.Join(protocols, " and "), held: held, only: len(protocols) == 1}
	}
	if back := r.heldBackText(key.bgp); back != "" && found.protocols != "" {
		found.protocols += "; " + back
	} else if back != "" {
		found.nearest += "; " + back
	}
	return found
}

// heldByLayer2 reports whether some node may hold an address.
func (e *Explainer) heldByLayer2(a address, l2 advertisementSet) bool {
	if e.rules.askAddress(a, len(l2) > 0) != nil {
		return false
	}
	group := e.rules.servingGroup(a, l2, e.rules.segments.of(a.addr))
	return group != nil && len(group.Candidates()) > 0
}

// announcedByBGP reports whether some node announces an address to some peer.
func (e *Explainer) announcedByBGP(a address, key addressKey) bool {
	for _, peer := range e.rules.peers {
		for node := range e.rules.nodes {
			if e.ineligibleBGP(a, key, peer, node) == Eligible {
				return true
			}
		}
	}
	return false
}

// reasonsFor are the reasons against each node, in the order of rules.nodes, announcing to a peer, the Service's endpoints
// left aside.
func (e *Explainer) reasonsFor(peer *lb.Peer, key addressKey) []IneligibleReason {
	cached := peerKey{key.bgp, peer.Name, key.family}
	if known, ok := e.peers[cached]; ok {
		return known
	}
	r := e.rules
	meant := key.bgp.filter(func(i int) bool { return r.bgp[i].MatchesPeer(peer.Name) })
	reasons := make([]IneligibleReason, len(r.nodes))
	for node := range r.nodes {
		q := query{rules: r, node: &r.nodes[node], peer: peer, family: key.family, meant: meant, advertisements: r.bgpSelecting(meant, node)}
		if reasons[node] = q.node.ineligible; reasons[node] == Eligible {
			reasons[node] = q.ask(ofAdvertisements)
		}
		if reasons[node] == Eligible {
			reasons[node] = q.ask(ofSegment)
		}
	}
	e.peers[cached] = reasons
	return reasons
}

// ineligibleBGP says why a node, by its index, does not announce an address to a peer.
func (e *Explainer) ineligibleBGP(a address, key addressKey, peer *lb.Peer, node int) IneligibleReason {
	if reason := e.reasonsFor(peer, key)[node]; reason != Eligible {
		return reason
	}
	if reason := e.rules.ineligibleService(a, node); reason != Eligible || peer.MaximumPrefixes == 0 {
		return reason
	}
	q := query{rules: e.rules, node: &e.rules.nodes[node], peer: peer, beyondMaximum: e.beyondMaximum(a, key, peer, node)}
	return q.ask(ofPrefix)
}

// ineligibleLayer2 says why a node, by its index, may not hold an address.
func (e *Explainer) ineligibleLayer2(a address, key addressKey, node int) IneligibleReason {
	if reason := e.rules.ineligibleL2(key.l2, e.rules.segments.of(a.addr), node); reason != Eligible {
		return reason
	}
	return e.rules.ineligibleService(a, node)
}

// noNode says what stands against the node that is nearest to announcing an address, and of every node what stands against it,
// nodes with the same reason together.
func (e *Explainer) noNode(a address, key addressKey) *announcement {
	r, none := e.rules, &announcement{reason: ReasonNoNode.Name}
	if key.l2 == "" && len(r.peers) == 0 {
		none.nearest = "there is no BGPPeer to announce it to"
		return none
	}
	byReason := map[IneligibleReason][]string{}
	reasons := make([]IneligibleReason, len(r.nodes))
	for node, n := range r.nodes {
		reasons[node] = e.ineligible(a, key, node)
		byReason[reasons[node]] = append(byReason[reasons[node]], n.Name)
	}
	if len(byReason) == 0 {
		none.nearest = "the cluster has no nodes"
		return none
	}
	var parts []string
	for reason, names := range byReason {
		parts = append(parts, fmt.Sprintf("%s: %s", firstNames(names), reason))
	}
	slices.Sort(parts)
	best, whose := r.nearest(a, reasons)
	none.nearest, none.nodes = "no node announces it; of the node "+whose+" nearest to it: "+best.String(), strings.Join(parts, "; ")
	switch {
	case best.is(noInterface):
		none.nearest += r.interfacesText(key.l2)
	case best.is(heldBack):
		none.reason, none.nearest = ReasonHeldBack.Name, "no route goes out without its communities"
	}
	return none
}

// nearest is the reason against the node that is nearest to announcing an address, of those against each, and which node that is.
// Under externalTrafficPolicy Local a node with a ready endpoint is nearer than all without, which lack one whatever is mended.
func (r *rules) nearest(a address, reasons []IneligibleReason) (best IneligibleReason, whose string) {
	withEndpoint := Eligible
	for node, reason := range reasons {
		best = max(best, reason)
		if a.service.Local && r.ineligibleService(a, node) == Eligible {
			withEndpoint = max(withEndpoint, reason)
		}
	}
	if withEndpoint != Eligible {
		return withEndpoint, "with a ready endpoint that is"
	}
	return best, "that is"
}

// ineligible is what stands against a node, by its index: of the reasons over both protocols and all peers the one nearest
// to success.
func (e *Explainer) ineligible(a address, key addressKey, node int) IneligibleReason {
	nearest := Eligible
	if key.l2 != "" {
		nearest = e.ineligibleLayer2(a, key, node)
	}
	if key.bgp != "" {
		for _, peer := range e.rules.peers {
			nearest = max(nearest, e.ineligibleBGP(a, key, peer, node))
		}
	}
	return nearest
}

// firstNames names up to five nodes.
func firstNames(nodes []string) string {
	const limit = 5
	if len(nodes) <= limit {
		return strings.Join(nodes, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(nodes[:limit], ", "), len(nodes)-limit)
}

func names(s advertisementSet, name func(int) string) string {
	var list []string
	for i := range s.all() {
		list = append(list, name(i))
	}
	return strings.Join(list, ", ")
}
