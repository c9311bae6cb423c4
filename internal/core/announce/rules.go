package announce

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// rules are a World prepared for questions: what does not depend on a Service is worked out once.
type rules struct {
	world *World
	nodes []node
	l2    []l2Rule
	bgp   []bgpRule
	peers []*lb.Peer
	// questions of the chain.
	questions [scopes][]question
	// local is memory for serviceQuery.
	local query

	// internalIPs are the nodes' addresses, as their objects say, with a node that has each.
	internalIPs map[netip.Addr]string
	// missing are stand-ins for pools that gave addresses and do not exist, by name.
	missing  map[string]*lb.Pool
	segments *segments
	// candidateSets is a cache: most addresses share one.
	candidateSets map[candidateKey]*candidateSet

	// affine are all Services of each address of which one has session affinity.
	affine map[netip.Addr][]*lb.Service
	// contendersOf is a cache: most addresses share some.
	contendersOf map[contenderKey][]contender
	// announcingOf is another.
	announcingOf map[contenderKey]*announcing
}

// node is a node with what is known of it whatever the address.
type node struct {
	*lb.Node
	// ineligible: why it announces nothing at all.
	ineligible IneligibleReason
	// alive: its speaker runs and may hold addresses.
	alive bool
}

// selection is the pools and nodes that an advertisement selects.
type selection struct {
	// self is the set that contains this advertisement only. A set is a string: += appends it to a set of older ones.
	self  advertisementSet
	pools map[*lb.Pool]bool
	// nodes in the order of rules.nodes.
	nodes []bool
}

// l2Rule is a layer-2 advertisement with what it selects. Weights of nodes are in the order of rules.nodes; they mean
// nothing for nodes that are not selected.
type l2Rule struct {
	*lb.L2Advertisement
	selection
	weights []int
}

// bgpRule is a BGP advertisement with what it selects.
type bgpRule struct {
	*lb.BGPAdvertisement
	selection
}

func newRules(w *World) *rules {
	r := newRulesWithout(w)
	r.affine = affineServices(w.Services)
	return r
}

// newRulesWithout are rules without what is worked out for all Services.
func newRulesWithout(w *World) *rules {
	r := &rules{
		world: w, questions: questions(), segments: newSegments(w.Links), candidateSets: map[candidateKey]*candidateSet{},
		missing: map[string]*lb.Pool{}, contendersOf: map[contenderKey][]contender{},
		announcingOf: map[contenderKey]*announcing{}, internalIPs: make(map[netip.Addr]string, 2*len(w.Nodes)),
	}
	alive := make(map[string]bool, len(w.Members.Alive))
	for _, name := range w.Members.Alive {
		alive[name] = true
	}
	for _, n := range w.Nodes {
		r.nodes = append(r.nodes, node{Node: n, alive: alive[n.Name]})
	}
	slices.SortFunc(r.nodes, func(a, b node) int { return strings.Compare(a.Name, b.Name) })
	for i := range r.nodes {
		q := query{rules: r, node: &r.nodes[i]}
		r.nodes[i].ineligible = q.ask(ofNode)
		for _, addr := range r.nodes[i].Addresses {
			r.internalIPs[addr] = r.nodes[i].Name
		}
	}
	known := lb.NewKnown(w.Pools, w.Peers, w.Nodes, w.Links, w.Reported)
	r.readPeers(known)
	r.readL2(known)
	r.readBGP(known)
	return r
}

// readPeers reads the BGPPeers. Of one by which no node could have a session, what it said before counts.
func (r *rules) readPeers(known *lb.Known) {
	for _, peer := range r.world.Peers {
		r.peers = append(r.peers, peer.Keeping(known))
	}
	slices.SortFunc(r.peers, lb.ComparePeers)
}

// readL2 reads the L2Advertisements. Of one that is partly wrong, what can be read counts: the rest of it matches nothing. While one
// lists a name that is unknown, what it listed before counts, too.
func (r *rules) readL2(known *lb.Known) {
	for _, adv := range r.world.L2Advertisements {
		adv = adv.Keeping(known)
		rule := l2Rule{L2Advertisement: adv, selection: r.selectionOf(&adv.Advertisement), weights: make([]int, len(r.nodes))}
		for i, n := range r.nodes {
			rule.weights[i] = adv.Weight(n.Node)
		}
		r.l2 = append(r.l2, rule)
	}
	slices.SortFunc(r.l2, func(a, b l2Rule) int { return a.CompareAge(&b.Advertisement) })
	for i := range r.l2 {
		r.l2[i].self = singleton(i)
	}
}

// readBGP reads the BGPAdvertisements, as readL2 does.
func (r *rules) readBGP(known *lb.Known) {
	for _, adv := range r.world.BGPAdvertisements {
		adv = adv.Keeping(known)
		r.bgp = append(r.bgp, bgpRule{adv, r.selectionOf(&adv.Advertisement)})
	}
	slices.SortFunc(r.bgp, func(a, b bgpRule) int { return a.CompareAge(&b.Advertisement) })
	for i := range r.bgp {
		r.bgp[i].self = singleton(i)
	}
}

// selectionOf an advertisement; self is set once all are in order.
func (r *rules) selectionOf(adv *lb.Advertisement) selection {
	s := selection{pools: map[*lb.Pool]bool{}, nodes: make([]bool, len(r.nodes))}
	for _, pool := range r.world.Pools.ByAge() {
		if adv.MatchesPool(pool) {
			s.pools[pool] = true
		}
	}
	for i, n := range r.nodes {
		s.nodes[i] = adv.NodeSelectors.Match(n.Labels)
	}
	return s
}

// nodeIndex of a node in the list; -1 if it is not there.
func (r *rules) nodeIndex(name string) int {
	i, found := slices.BinarySearchFunc(r.nodes, name, func(n node, name string) int { return strings.Compare(n.Name, name) })
	if !found {
		return -1
	}
	return i
}

// address looks up the pool of an address. A Service's provenance says which of its addresses Daymark gave; the others are
// somebody else's to announce. A Service without provenance has its addresses from an earlier version of the controller, if
// any has written to it.
func (r *rules) address(s *lb.Service, addr netip.Addr) address {
	gave := s.Provenance.PoolOf(addr)
	switch {
	case gave == "" && (s.Provenance.Class != "" || !s.Managed):
		return address{s, addr, nil}
	case r.world.Pools.Missing(gave):
		if pool := r.missingPool(gave); r.advertised(pool) {
			return address{s, addr, pool}
		}
	}
	return address{s, addr, r.world.Pools.SourceOf(gave, addr)}
}

// missingPool returns the stand-in for a pool that does not exist: an address that it gave stays announced as long as the
// controller leaves it in the status. Its labels are those that it had last, as far as this process has seen it.
func (r *rules) missingPool(name string) *lb.Pool {
	if known := r.missing[name]; known != nil {
		return known
	}
	pool := r.world.Pools.Gone(name)
	if pool == nil {
		pool = &lb.Pool{Name: name}
	}
	r.missing[name] = pool
	for i := range r.l2 {
		r.l2[i].pools[pool] = r.l2[i].MatchesPool(pool)
	}
	for i := range r.bgp {
		r.bgp[i].pools[pool] = r.bgp[i].MatchesPool(pool)
	}
	return pool
}

// advertised reports whether any advertisement selects a pool.
func (r *rules) advertised(pool *lb.Pool) bool {
	return slices.ContainsFunc(r.l2, func(rule l2Rule) bool { return rule.pools[pool] }) ||
		slices.ContainsFunc(r.bgp, func(rule bgpRule) bool { return rule.pools[pool] })
}

// l2Matches are the layer-2 advertisements that announce an address.
func (r *rules) l2Matches(a address) advertisementSet {
	var matches advertisementSet
	for i := range r.l2 {
		if a.pool != nil && r.l2[i].pools[a.pool] && r.l2[i].ServiceSelectors.MatchLabels(a.service.Labels) {
			matches += r.l2[i].self
		}
	}
	return matches
}

// bgpMatches are the BGP advertisements that announce an address, without those that are held back while it runs by others.
func (r *rules) bgpMatches(a address) advertisementSet {
	var matches advertisementSet
	for i := range r.bgp {
		if a.pool != nil && r.bgp[i].pools[a.pool] && r.bgp[i].ServiceSelectors.MatchLabels(a.service.Labels) {
			matches += r.bgp[i].self
		}
	}
	return r.settled(matches, a)
}

// l2Selecting are those of a set of layer-2 advertisements that select a node.
func (r *rules) l2Selecting(matches advertisementSet, node int) advertisementSet {
	return matches.filter(func(i int) bool { return r.l2[i].nodes[node] })
}

// bgpSelecting are those of a set of BGP advertisements that select a node.
func (r *rules) bgpSelecting(matches advertisementSet, node int) advertisementSet {
	return matches.filter(func(i int) bool { return r.bgp[i].nodes[node] })
}
