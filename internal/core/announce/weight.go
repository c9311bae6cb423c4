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
// nothing is sent. Nor is anything for an aggregated prefix, which has addresses of many Services. A prefix whose nodes are ranked for
// session affinity has no weights at all, since routers use the best alone.

// weights that a node may have for an address, by what weightBy says; 0: none.
type weights struct{ endpoints, annotated int }

func (w weights) by(what v1beta1.WeightBy) int {
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
	sharers := r.localSharers()
	annotated, _ := r.nodes[node].Weight()
	for i := range routes {
		routes[i].weights = weights{r.localEndpoints(routes[i].service, sharers, routes[i].addr, node), annotated}
	}
}

// localEndpoints counts the endpoints that a node, by its index, serves an address of a Service with, of all that share it; 0 under the
// policy Cluster.
func (r *rules) localEndpoints(s *lb.Service, sharers localSharers, addr netip.Addr, node int) (sum int) {
	if !s.Local {
		return 0
	}
	services := sharers[addr]
	if len(services) == 0 {
		services = []*lb.Service{s}
	}
	for _, sharer := range services {
		sum += r.world.Endpoints[sharer.Key].CountServing(r.nodes[node].Name, lb.FamilyOf(addr))
	}
	return sum
}

// weightText says in the condition by what nodes are weighed for an address; "" where no advertisement asks for it. It is the same
// whichever nodes there are.
func (r *rules) weightText(a address, bgp advertisementSet) string {
	single := r.unaggregated(bgp, lb.FamilyOf(a.addr))
	switch r.weightBy(bgp) {
	case v1beta1.WeightByNodeAnnotation:
		return ", weighted by the annotation " + v1beta1.AnnotationWeight + " of each node"
	case v1beta1.WeightByEndpoints:
		switch {
		case !a.service.Local:
			return ", not weighted by endpoints, since under externalTrafficPolicy Cluster every node serves all of them"
		case r.weightBy(single) == "":
			return ", not weighted by endpoints, since prefixes are aggregated"
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
	weight    int
}

// sharesText says which shares nodes get; "" if none has a weight.
func sharesText(shares []share) string {
	sum := 0
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
	for node := range r.nodes {
		if e.ineligibleBGP(a, key, peer, node) != Eligible || !r.mayServe(sharers, a.addr, node) {
			continue
		}
		s := share{node: r.nodes[node].Name}
		switch by := r.weightBy(r.bgpSelecting(meant, node)); {
		case by == v1beta1.WeightByNodeAnnotation:
			var problem string
			s.weight, problem = r.nodes[node].Weight()
			s.why = strings.TrimSuffix(fmt.Sprintf("weight %d: %s", s.weight, problem), ": ")
		case by == v1beta1.WeightByEndpoints && single != "":
			s.weight = r.localEndpoints(a.service, sharers, a.addr, node)
			s.why = fmt.Sprintf("endpoints: %d", s.weight)
		}
		shares = append(shares, s)
	}
	return shares
}
