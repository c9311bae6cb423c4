package announce

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

// Weights under the policy Cluster. A service proxy spreads what its node attracts equally over the endpoints that it uses: those hinted
// for its node; if there are none, those hinted for its zone; else all. It heeds no hint of a kind that a ready endpoint lacks, nor any
// where none is ready. That is what kube-proxy does (topologyModeFromHints in k8s.io/kubernetes/pkg/proxy), whatever wrote the hints.
//
// So that each endpoint gets as much as any other, it brings a weight of one to the nodes that use it: to the one that it is hinted for,
// or else in equal parts to those that use the endpoints of its zone, or else to those that use all. A zone gets as much as it has endpoints,
// however many nodes it has. A node that nothing is left for, because all endpoints are near others, has the least weight that can be
// sent, so that traffic stays near. It still has its route for the day when the others are gone.
//
// Nodes count that may announce the address, but not those that the API server takes for dead: a crashed one would keep its part of its
// zone for as long as its Node object is there. One that is dead for the API server alone weighs itself as if it were one of the others.

// area is which endpoints a service proxy uses.
type area uint8

const (
	anywhere area = iota
	ownZone
	ownNode
)

// proxied is what the nodes that announce an address bear of the endpoints of a Service.
type proxied struct {
	// onNode are the endpoints of nodes, by their names, that use those hinted for them; nil: no proxy heeds hints for nodes.
	onNode map[string]int
	// inZone are the parts of each node that uses the endpoints of a zone, by its name; nil: no proxy heeds hints for zones.
	inZone map[string]part
	// rest is that of each node that uses all.
	rest part
}

// part of a number of endpoints that each of some nodes bears.
type part struct{ endpoints, nodes int }

func (p part) weight() lb.Weight {
	return lb.WeightOf(p.endpoints) / lb.Weight(max(p.nodes, 1))
}

// proxied works out what each node bears of the endpoints of a Service at an address that some advertisements announce.
func (r *rules) proxied(s *lb.Service, addr netip.Addr, matches advertisementSet) *proxied {
	family, endpoints := lb.FamilyOf(addr), r.world.Endpoints[s.Key]
	announcing := r.announcing(contenderKey{matches, family})
	p := &proxied{rest: part{endpoints.CountAllServing(family), announcing.count}}
	byNode, byZone := heeded(endpoints, family)
	if byNode {
		p.onNode = map[string]int{}
	}
	if byZone {
		p.inZone = map[string]part{}
	}
	for hint, ready := range endpoints.Hints(family) {
		if byNode {
			p.onNode[hint.Node] += ready
		}
		if byZone {
			p.inZone[hint.Zone] = part{}
		}
	}
	p.setNodes(r, announcing)
	for hint, ready := range endpoints.Hints(family) {
		zone := p.inZone[hint.Zone]
		switch {
		case byNode && announcing.has(r, hint.Node):
		case zone.nodes > 0:
			p.inZone[hint.Zone] = part{zone.endpoints + ready, zone.nodes}
		default:
			continue
		}
		p.rest.endpoints -= ready
	}
	return p
}

// heeded are the kinds of hints that service proxies heed: those that all ready endpoints of a family have.
func heeded(endpoints lb.Endpoints, family lb.Family) (byNode, byZone bool) {
	byNode, byZone = endpoints.AnyReady(family), endpoints.AnyReady(family)
	for hint := range endpoints.Hints(family) {
		byNode, byZone = byNode && hint.Node != "", byZone && hint.Zone != ""
	}
	return byNode, byZone
}

// hinted reports whether a ready endpoint of a family has a hint.
func hinted(endpoints lb.Endpoints, family lb.Family) bool {
	for hint := range endpoints.Hints(family) {
		if hint.Node != "" || hint.Zone != "" {
			return true
		}
	}
	return false
}

// setNodes counts the nodes that use the endpoints of each zone, and those that use all.
func (p *proxied) setNodes(r *rules, announcing *announcing) {
	ofOwn := map[string]int{} // in zones, nodes that use endpoints of their own
	// order does not matter: these are sums
	for name := range p.onNode {
		if announcing.has(r, name) {
			ofOwn[zoneOf(r.nodes[r.nodeIndex(name)].Node)]++
			p.rest.nodes--
		}
	}
	for zone := range p.inZone {
		nodes := announcing.zones[zone] - ofOwn[zone]
		p.inZone[zone] = part{0, nodes}
		p.rest.nodes -= nodes
	}
}

// of is the part of a node, and which endpoints its service proxy uses.
func (p *proxied) of(n *lb.Node) (part, area) {
	if own := p.onNode[n.Name]; own > 0 {
		return part{own, 1}, ownNode
	}
	if zone, has := p.inZone[zoneOf(n)]; has {
		return zone, ownZone
	}
	return p.rest, anywhere
}

// digest changes with the weights of nodes. It takes as long as there are nodes with endpoints, and not as there are nodes.
func (p *proxied) digest() uint64 {
	of := func(name string, x part) uint64 {
		return rendezvous.Mix(rendezvous.Mix(rendezvous.Hash(name)^uint64(x.endpoints)) ^ uint64(x.nodes)) //nolint:gosec // G115: not negative
	}
	digest := of("", p.rest)
	// order does not matter: these are sums
	for name, own := range p.onNode {
		digest += of("node "+name, part{own, 1})
	}
	for zone, x := range p.inZone {
		digest += of("zone "+zone, x)
	}
	return digest
}

// why says in words how a node comes to its weight.
func (p *proxied) why(n *lb.Node) string {
	part, area := p.of(n)
	switch {
	case part.endpoints == 0:
		return "no endpoints but those near other nodes"
	case area == ownNode:
		return fmt.Sprintf("endpoints on it: %d", part.endpoints)
	case area == ownZone:
		return fmt.Sprintf("endpoints for its zone %s: %d, among nodes: %d", zoneOf(n), part.endpoints, part.nodes)
	default:
		return fmt.Sprintf("endpoints: %d, among nodes: %d", part.endpoints, part.nodes)
	}
}

func zoneOf(n *lb.Node) string { return n.Labels[corev1.LabelTopologyZone] }

// announcing are the nodes that count among those that announce the addresses of some advertisements, and how many are in each zone.
type announcing struct {
	nodes []bool // in the order of rules.nodes
	zones map[string]int
	count int
}

func (a *announcing) has(r *rules, name string) bool {
	i := r.nodeIndex(name)
	return i >= 0 && a.nodes[i]
}

func (r *rules) announcing(key contenderKey) *announcing {
	if known := r.announcingOf[key]; known != nil {
		return known
	}
	a := &announcing{nodes: make([]bool, len(r.nodes)), zones: map[string]int{}}
	for _, c := range r.contenders(key) {
		if n := r.nodes[c.node].Node; !n.Down {
			a.nodes[c.node] = true
			a.zones[zoneOf(n)]++
			a.count++
		}
	}
	r.announcingOf[key] = a
	return a
}
