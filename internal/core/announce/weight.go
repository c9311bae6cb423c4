package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// A BGPAdvertisement with weightBy has routers share the traffic of an address among nodes by weights, which its paths carry as link
// bandwidths. A router heeds them only if all paths to a prefix have one. So whether a path has one depends on what all nodes see alike,
// and never on the node.
//
// By endpoints, a node has the weight of the serving endpoints on it of all Services that share the address, advertised or not: under
// the policy Local they alone get what the node attracts. Under Cluster every node serves all endpoints, and equal shares are right;
// nothing is sent, unless service proxies are to prefer endpoints near by (trafficDistribution, or hints without it): then it is what they use (proxied).
// Nor is anything for an aggregated prefix, which has addresses of many Services. A prefix whose nodes are ranked for
// session affinity has no weights at all, since routers use the best alone.

// weights that a node may have for an address, by what weightBy says; 0: none.
type weights struct{ endpoints, annotated lb.Weight }

func (w weights) by(what v1beta1.WeightBy) lb.Weight {
	switch what {
	case v1beta1.WeightByEndpoints:
		return w.endpoints
	case v1beta1.WeightByNodeAnnotation:
		return w.annotated
	default:
		return 0
	}
}

// weightBy is what some advertisements weigh the nodes by: the oldest that says so counts.
func (r *rules) weightBy(matches advertisementSet) v1beta1.WeightBy {
	for i := range matches.all() {
		if by := r.bgp[i].WeightBy; by != "" {
			return by
		}
	}
	return ""
}

// weighRoutes sets the weights of a node's routes. It costs nothing where no advertisement asks for them.
func (r *rules) weighRoutes(node int, routes []route) {
	if !slices.ContainsFunc(r.bgp, func(b bgpRule) bool { return b.WeightBy != "" }) {
		return
	}
	weigher := r.weigher(r.localSharers())
	annotated, _ := r.nodes[node].Weight()
	for i := range routes {
		routes[i].weights.annotated = lb.WeightOf(annotated)
		if by := weigher.of(routes[i].service, routes[i].addr); by != nil {
			routes[i].weights.endpoints = by.weight(r.nodes[node].Node)
		}
	}
}

// weigher weighs nodes by endpoints.
type weigher struct {
	*rules
	// local and cluster are the Services of each address that several share, under the one policy and the other.
	local   localSharers
	cluster map[netip.Addr][]*lb.Service
}

// weigher is that of all addresses, given those that Services share under Local; nil if no advertisement weighs by endpoints.
func (r *rules) weigher(local localSharers) *weigher {
	if !slices.ContainsFunc(r.bgp, func(b bgpRule) bool { return b.WeightBy == v1beta1.WeightByEndpoints }) {
		return nil
	}
	return &weigher{r, local, r.sharers(false)}
}

// endpointWeights are the weights of nodes for an address by endpoints.
type endpointWeights struct {
	family lb.Family
	// local are the endpoints of all Services of the address under the policy Local.
	local []lb.Endpoints
	// proxied are those under Cluster, as service proxies use them.
	proxied []*proxied
}

// sharers are all Services of an address with the policy of one of them.
func (w *weigher) sharers(s *lb.Service, addr netip.Addr) []*lb.Service {
	sharers := w.cluster[addr]
	if s.Local {
		sharers = w.local[addr]
	}
	if len(sharers) == 0 {
		return []*lb.Service{s}
	}
	return sharers
}

// prefersNear reports whether service proxies may prefer endpoints near by for a Service at an address under the policy Cluster: it asks for it, or
// its endpoints have hints, whatever wrote them, such as the annotation service.kubernetes.io/topology-mode. While some have none, and proxies
// heed none, nodes have equal weights.
func (w *weigher) prefersNear(s *lb.Service, addr netip.Addr) bool {
	return w != nil && !s.Local && slices.ContainsFunc(w.sharers(s, addr), func(s *lb.Service) bool {
		return s.Distribution != lb.Anywhere || hinted(w.world.Endpoints[s.Key], lb.FamilyOf(addr))
	})
}

// of are the weights for an address of a Service; nil: nodes are alike.
func (w *weigher) of(s *lb.Service, addr netip.Addr) *endpointWeights {
	if w == nil || !s.Local && !w.prefersNear(s, addr) {
		return nil
	}
	by := &endpointWeights{family: lb.FamilyOf(addr)}
	sharers := w.sharers(s, addr)
	if s.Local {
		for _, sharer := range sharers {
			by.local = append(by.local, w.world.Endpoints[sharer.Key])
		}
		return by
	}
	var matches advertisementSet
	for _, sharer := range sharers {
		matches = matches.union(w.bgpMatches(w.address(sharer, addr)))
	}
	for _, sharer := range sharers {
		by.proxied = append(by.proxied, w.proxied(sharer, addr, matches))
	}
	return by
}

// weight of a node.
func (by *endpointWeights) weight(n *lb.Node) (sum lb.Weight) {
	for _, endpoints := range by.local {
		sum += lb.WeightOf(endpoints.CountServing(n.Name, by.family))
	}
	for _, p := range by.proxied {
		part, _ := p.of(n)
		sum += part.weight()
	}
	if len(by.proxied) > 0 {
		return max(sum, lb.LeastWeight)
	}
	return sum
}

// why says in words how a node comes to its weight.
func (by *endpointWeights) why(n *lb.Node) string {
	if len(by.proxied) == 0 {
		return fmt.Sprintf("endpoints: %s", by.weight(n))
	}
	var texts []string
	for _, p := range by.proxied {
		texts = append(texts, p.why(n))
	}
	return strings.Join(texts, "; ")
}

// misweighedText names the nodes that some advertisements select and whose annotation is no weight; "" if there are none.
func (e *Explainer) misweighedText(bgp advertisementSet) string {
	if text, known := e.misweighed[bgp]; known {
		return text
	}
	r := e.rules
	var nodes []string
	for node := range r.nodes {
		_, has := r.nodes[node].Annotations[v1beta1.AnnotationWeight]
		if _, problem := r.nodes[node].Weight(); has && problem != "" && r.bgpSelecting(bgp, node) != "" {
			nodes = append(nodes, r.nodes[node].Name)
		}
	}
	text := ""
	if len(nodes) > 0 {
		text = fmt.Sprintf(", which counts as 1 where it is no number from 1 to %d, as on %s", v1beta1.MaxWeight, firstNames(nodes))
	}
	e.misweighed[bgp] = text
	return text
}

// weightText says in the condition by what nodes are weighed for an address; "" where no advertisement asks for it. It is the same
// whichever nodes there are, but for those whose annotation is no weight.
func (e *Explainer) weightText(a address, bgp advertisementSet) string {
	r := e.rules
	single := r.unaggregated(bgp, lb.FamilyOf(a.addr))
	switch r.weightBy(bgp) {
	case v1beta1.WeightByNodeAnnotation:
		return ", weighted by the annotation " + v1beta1.AnnotationWeight + " of each node" + e.misweighedText(bgp)
	case v1beta1.WeightByEndpoints:
		switch {
		case !a.service.Local && !e.weigher.prefersNear(a.service, a.addr):
			return ", not weighted by endpoints, since under externalTrafficPolicy Cluster every node serves all of them"
		case r.weightBy(single) == "":
			return ", not weighted by endpoints, since prefixes are aggregated"
		}
		if !a.service.Local {
			return ", weighted by the ready endpoints that each node's service proxy prefers (trafficDistribution, or hints of topology)"
		}
		return ", weighted by the ready endpoints on each node"
	default:
		return ""
	}
}

// Weights say for each address of a Service that is weighted which share of its traffic each peer is asked to send to each node, and
// why; nothing for the others.
func (e *Explainer) Weights(s *lb.Service) (lines []string) {
	sharers := e.rules.localSharers()
	for _, addr := range s.Ingress {
		a := e.rules.address(s, addr)
		if e.rules.weightBy(e.rules.bgpMatches(a)) == "" {
			continue
		}
		for _, peer := range e.rules.peers {
			if shares := sharesText(e.shares(a, sharers, peer)); shares != "" {
				lines = append(lines, fmt.Sprintf("%s, weights: %s is asked to give %s", addr, peer.Name, shares))
			}
		}
	}
	return lines
}

// share of the traffic of an address that a peer is asked to give to a node. A weight of 0 is none.
type share struct {
	node, why string
	weight    lb.Weight
}

// sharesText says which shares nodes get; "" if none has a weight.
func sharesText(shares []share) string {
	sum := lb.Weight(0)
	var without, texts []string
	for _, s := range shares {
		if sum += s.weight; s.weight == 0 {
			without = append(without, s.node)
		}
	}
	switch {
	case sum == 0:
		return ""
	case len(without) > 0:
		return "equal shares to all, since the paths of these have no weight: " + firstNames(without)
	}
	for _, s := range shares {
		texts = append(texts, fmt.Sprintf("%d %% to %s (%s)", (s.weight*100+sum/2)/sum, s.node, s.why))
	}
	return strings.Join(texts, ", ") + ", if it heeds link bandwidths"
}

// shares of a peer to the nodes that announce an address to it, in order of nodes.
func (e *Explainer) shares(a address, sharers localSharers, peer *lb.Peer) (shares []share) {
	r := e.rules
	key := addressKey{bgp: r.bgpMatches(a), family: lb.FamilyOf(a.addr)}
	meant := key.bgp.filter(func(i int) bool { return r.bgp[i].MatchesPeer(peer.Name) })
	single := r.unaggregated(meant, key.family)
	if single != "" {
		if len(r.affine[a.addr]) > 0 {
			return nil
		}
		meant = single
	}
	weights := e.weigher.of(a.service, a.addr)
	for node := range r.nodes {
		if e.ineligibleBGP(a, key, peer, node) != Eligible || !r.mayServe(sharers, a.addr, node) {
			continue
		}
		s := share{node: r.nodes[node].Name}
		switch by := r.weightBy(r.bgpSelecting(meant, node)); {
		case by == v1beta1.WeightByNodeAnnotation:
			weight, problem := r.nodes[node].Weight()
			s.weight, s.why = lb.WeightOf(weight), strings.TrimSuffix(fmt.Sprintf("weight %d: %s", weight, problem), ": ")
		case by == v1beta1.WeightByEndpoints && single != "" && weights != nil:
			s.weight, s.why = weights.weight(r.nodes[node].Node), weights.why(r.nodes[node].Node)
		}
		shares = append(shares, s)
	}
	return shares
}
