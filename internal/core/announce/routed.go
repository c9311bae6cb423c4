package announce

import (
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

// RoutedAddress is an address that nodes announce to routers.
type RoutedAddress struct {
	Addr netip.Addr
	// Nodes that may announce it, sorted, as far as the objects say; nobody but they themselves knows how their sessions are. The list
	// may be shared, and must not be changed.
	Nodes []string
	// Revision changes when routers are told to divide the clients anew among the nodes: by other weights, because other paths are
	// preferred, by other prefixes, or when other routers hear of it.
	Revision uint64
	// Draining is how long connections are passed on after the nodes have changed, as the longest of the advertisements says.
	Draining time.Duration
	// Unserved: this node has no endpoint of a Service of the address under externalTrafficPolicy: Local, not even a terminating one. Its
	// service proxy drops what comes in.
	Unserved bool
	// Follows: this node may announce it whenever it has a ready endpoint, by whose number routers weigh nodes. All nodes see the endpoints at
	// the same time, and the load is to follow them soon.
	Follows bool
}

// routedNodes are those for all addresses of the same advertisements, by their indexes, and their names. The revision changes with what
// routers prefer of them.
type routedNodes struct {
	indexes  []int
	names    []string
	revision uint64
	// follows is RoutedAddress.Follows of a Service that only nodes with its endpoints announce.
	follows bool
}

// routed are the addresses whose open connections are passed on among the nodes that announce them, in order.
func (r *rules) routed() []RoutedAddress {
	var all []RoutedAddress
	sharers := r.localSharers()
	weigher := r.weigher(sharers)
	byMatches := map[advertisementSet]*routedNodes{}
	for _, s := range r.world.Services {
		for _, addr := range s.Ingress {
			a := r.address(s, addr)
			matches := r.bgpMatches(a)
			draining := r.bgpDraining(matches)
			if draining == 0 {
				continue
			}
			nodes := byMatches[matches]
			if nodes == nil {
				nodes = r.routedNodes(matches)
				byMatches[matches] = nodes
			}
			routed := RoutedAddress{
				Addr: addr, Draining: draining, Revision: nodes.revision ^ r.weightRevision(a, matches, weigher, nodes) ^ r.affinityRevision(addr),
				Unserved: s.Local && !r.world.Endpoints[s.Key].AnyOnNode(r.world.Node, lb.FamilyOf(addr)),
				Follows:  s.Local && nodes.follows,
			}
			if r.askAddress(a, true) == nil {
				routed.Nodes = r.serving(a, sharers, nodes)
			}
			all = append(all, routed)
		}
	}
	slices.SortStableFunc(all, func(a, b RoutedAddress) int { return a.Addr.Compare(b.Addr) })
	return mergeRouted(all)
}

// bgpDraining is the longest connectionDraining of some advertisements.
func (r *rules) bgpDraining(matches advertisementSet) (longest time.Duration) {
	for i := range matches.all() {
		longest = max(longest, r.bgp[i].ConnectionDraining)
	}
	return longest
}

// routedNodes are the nodes that may announce to a peer what these advertisements announce.
func (r *rules) routedNodes(matches advertisementSet) *routedNodes {
	nodes := &routedNodes{}
	byEndpoints := r.weightBy(matches) == v1beta1.WeightByEndpoints
	for i := range r.nodes {
		n := &r.nodes[i]
		if by := r.bgpSelecting(matches, i); n.ineligible == Eligible && by != "" && r.anyPeerHears(by, i) {
			nodes.indexes, nodes.names = append(nodes.indexes, i), append(nodes.names, n.Name)
			nodes.revision ^= r.preferenceRevision(by, n.Name) ^ r.prefixRevision(by, n)
			nodes.follows = nodes.follows || byEndpoints && n.Name == r.world.Node
		}
	}
	return nodes
}

// preferenceRevision is a digest of what routers may prefer or avoid a node by that these advertisements select, beside weights; 0: nothing.
func (r *rules) preferenceRevision(by advertisementSet, node string) (digest uint64) {
	a := r.attributes(by)
	if a.comparePreference(&Attributes{}) != 0 {
		preference := uint64(valueOr(a.LocalPref, DefaultLocalPref))<<32 | uint64(valueOr(a.MED, 0))
		digest = rendezvous.Mix(rendezvous.Mix(rendezvous.Hash(node)^preference) ^ uint64(a.Prepend)) //nolint:gosec // G115: not negative
	}
	for _, community := range a.Communities {
		digest = rendezvous.Mix(digest ^ rendezvous.Hash(node) ^ rendezvous.Mix(rendezvous.Hash(community.String())))
	}
	return digest
}

// prefixRevision is a digest of which of a node's routers do not hear of these advertisements that select it, and how long aggregated prefixes
// are; 0: all hear of each address.
func (r *rules) prefixRevision(by advertisementSet, n *node) (digest uint64) {
	for i := range by.all() {
		adv := &r.bgp[i]
		seed := rendezvous.Mix(rendezvous.Hash(n.Name)) ^ rendezvous.Hash(adv.Name)
		if v4, v6 := adv.Length(lb.IPv4), adv.Length(lb.IPv6); v4 != 32 || v6 != 128 {
			digest ^= rendezvous.Mix(seed ^ uint64(v4)<<8 ^ uint64(v6)) //nolint:gosec // G115: not negative
		}
		for _, peer := range r.peers {
			if selects(peer, n.Node) && !adv.MatchesPeer(peer.Name) {
				digest ^= rendezvous.Mix(rendezvous.Mix(seed) ^ rendezvous.Hash(peer.Name))
			}
		}
	}
	return digest
}

// affinityRevision tells an address with session affinity, of which one node is best, from one without. Which node is best changes when one
// crashes, and that must not wait.
func (r *rules) affinityRevision(addr netip.Addr) uint64 {
	if len(r.affine[addr]) == 0 {
		return 0
	}
	return 1
}

// weightRevision is a digest of the weights of some nodes for an address; 0 where it has none.
func (r *rules) weightRevision(a address, matches advertisementSet, weigher *weigher, nodes *routedNodes) (digest uint64) {
	by := r.weightBy(matches)
	var byEndpoints *endpointWeights
	if by == v1beta1.WeightByEndpoints {
		byEndpoints = weigher.of(a.service, a.addr)
	}
	switch {
	case by == "" || by == v1beta1.WeightByEndpoints && byEndpoints == nil:
		return 0
	case byEndpoints != nil && len(byEndpoints.proxied) > 0:
		for _, p := range byEndpoints.proxied {
			digest += p.digest()
		}
		return digest
	}
	for _, i := range nodes.indexes {
		annotated, _ := r.nodes[i].Weight()
		weight := lb.WeightOf(annotated)
		if byEndpoints != nil {
			weight = byEndpoints.weight(r.nodes[i].Node)
		}
		digest ^= rendezvous.Mix(rendezvous.Hash(r.nodes[i].Name) ^ uint64(weight))
	}
	return digest
}

// serving are those of some nodes that may serve an address.
func (r *rules) serving(a address, sharers localSharers, nodes *routedNodes) []string {
	if !a.service.Local && len(sharers[a.addr]) < 2 {
		return nodes.names
	}
	var names []string
	for _, i := range nodes.indexes {
		if r.ineligibleService(a, i) == Eligible && r.mayServe(sharers, a.addr, i) {
			names = append(names, r.nodes[i].Name)
		}
	}
	return names
}

// mergeRouted makes one of the entries of an address that Services share: each node that serves one of them announces it.
func mergeRouted(all []RoutedAddress) []RoutedAddress {
	merged := all[:0]
	for _, a := range all {
		last := len(merged) - 1
		if last < 0 || merged[last].Addr != a.Addr {
			merged = append(merged, a)
			continue
		}
		names := slices.Concat(merged[last].Nodes, a.Nodes)
		slices.Sort(names)
		merged[last].Nodes, merged[last].Draining = slices.Compact(names), max(merged[last].Draining, a.Draining)
		merged[last].Revision += a.Revision
		merged[last].Unserved = merged[last].Unserved || a.Unserved
		merged[last].Follows = merged[last].Follows && a.Follows
	}
	return merged
}
