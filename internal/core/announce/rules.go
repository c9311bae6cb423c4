package announce

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// rules are a World made ready for questions: everything that does not depend on a Service is worked out once.
type rules struct {
	world *World
	nodes []node
	l2    []l2Rule
	bgp   []bgpRule
	peers []*lb.Peer

	segments *segments
	// crowds caches candidates, since most Services share them.
	crowds map[occasion]*crowd
}

// node is a node and why it announces nothing at all.
type node struct {
	*lb.Node
	refusal IneligibleReason
	alive   bool
}

// l2Rule is a layer-2 advertisement with the pools and nodes it selects. Weights are in the order of rules.nodes; a
// node that is not selected has -1.
type l2Rule struct {
	*lb.L2Advertisement
	// self is the set of this advertisement alone.
	self    set
	pools   map[*lb.Pool]bool
	weights []int
}

// bgpRule is a BGP advertisement with the pools and nodes it selects, in the order of rules.nodes.
type bgpRule struct {
	*lb.BGPAdvertisement
	// self is the set of this advertisement alone.
	self        set
	pools       map[*lb.Pool]bool
	selected    []bool
	communities []lb.Community
}

func newRules(w *World) *rules {
	r := &rules{world: w, segments: newSegments(w.Links), crowds: map[occasion]*crowd{}}
	r.peers = slices.SortedFunc(slices.Values(w.Peers), lb.ComparePeers)
	alive := make(map[string]bool, len(w.Members.Alive))
	for _, name := range w.Members.Alive {
		alive[name] = true
	}
	for _, n := range w.Nodes {
		r.nodes = append(r.nodes, node{n, nodeRefusal(n, w.Options), alive[n.Name]})
	}
	slices.SortFunc(r.nodes, func(a, b node) int { return strings.Compare(a.Name, b.Name) })
	r.readL2()
	r.readBGP()
	return r
}

func (r *rules) readL2() {
	for _, adv := range r.world.L2Advertisements {
		if adv.Err != nil {
			continue
		}
		rule := l2Rule{L2Advertisement: adv, pools: r.poolsOf(&adv.Advertisement), weights: make([]int, len(r.nodes))}
		for i, n := range r.nodes {
			rule.weights[i] = -1
			if adv.NodeSelectors.Match(n.Labels) {
				rule.weights[i] = adv.Weight(n.Node)
			}
		}
		r.l2 = append(r.l2, rule)
	}
	slices.SortFunc(r.l2, func(a, b l2Rule) int { return a.CompareAge(&b.Advertisement) })
	for i := range r.l2 {
		r.l2[i].self = single(i)
	}
}

func (r *rules) readBGP() {
	for _, adv := range r.world.BGPAdvertisements {
		if adv.Err != nil {
			continue
		}
		// Communities that are not understood are named in a condition by the controller; the route goes out without
		// them rather than not at all.
		communities, _ := r.world.Aliases.Resolve(adv.Communities)
		rule := bgpRule{
			BGPAdvertisement: adv, pools: r.poolsOf(&adv.Advertisement), selected: make([]bool, len(r.nodes)), communities: communities,
		}
		for i, n := range r.nodes {
			rule.selected[i] = adv.NodeSelectors.Match(n.Labels)
		}
		r.bgp = append(r.bgp, rule)
	}
	slices.SortFunc(r.bgp, func(a, b bgpRule) int { return a.CompareAge(&b.Advertisement) })
	for i := range r.bgp {
		r.bgp[i].self = single(i)
	}
}

func (r *rules) poolsOf(adv *lb.Advertisement) map[*lb.Pool]bool {
	pools := map[*lb.Pool]bool{}
	for _, pool := range r.world.Pools.ByAge() {
		if adv.MatchesPool(pool) {
			pools[pool] = true
		}
	}
	return pools
}

// place of a node in the list, -1 when it is not there.
func (r *rules) place(name string) int {
	i, found := slices.BinarySearchFunc(r.nodes, name, func(n node, name string) int { return strings.Compare(n.Name, name) })
	if !found {
		return -1
	}
	return i
}

// address looks up the pool of an address.
func (r *rules) address(s *lb.Service, addr netip.Addr) address {
	return address{s, addr, r.world.Pools.Of(s, addr)}
}

// l2Matches are the places of the layer-2 advertisements that announce an address.
func (r *rules) l2Matches(a address) set {
	var matches set
	for i := range r.l2 {
		if a.pool != nil && r.l2[i].pools[a.pool] && r.l2[i].ServiceSelectors.Match(a.service.Labels) {
			matches += r.l2[i].self
		}
	}
	return matches
}

// bgpMatches are the places of the BGP advertisements that announce an address.
func (r *rules) bgpMatches(a address) set {
	var matches set
	for i := range r.bgp {
		if a.pool != nil && r.bgp[i].pools[a.pool] && r.bgp[i].ServiceSelectors.Match(a.service.Labels) {
			matches += r.bgp[i].self
		}
	}
	return matches
}
