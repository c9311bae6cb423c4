package announce

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

// Session affinity (spec.sessionAffinity: ClientIP) is kept by each node's service proxy, which knows nothing of the others. A router
// that spreads the connections of a client over nodes breaks it. So all nodes rank themselves for an address of such a Service, by what
// all of them see: the first announces it as configured, each other one as a backup, worse by its rank. A router then has one best path,
// and the next one at hand. Where nodes see different things for the moment it has two best paths, or the same backup twice.
//
// A node whose peers are all Down is not ranked. One whose peers are all in Maintenance comes last, so that where all nodes are like that
// their paths keep the order while they retire.
//
// A prefix that is aggregated has addresses of many Services, and is not ranked. A node may be ranked that announces nothing after
// all, because its session is down for example: the order of the others stays what it is.

// affineServices are all Services of each address that one with session affinity has; nil: there are none.
func affineServices(services []*lb.Service) map[netip.Addr][]*lb.Service {
	var affine map[netip.Addr][]*lb.Service
	for _, s := range services {
		if !s.Affinity {
			continue
		}
		for _, addr := range s.Ingress {
			if affine == nil {
				affine = map[netip.Addr][]*lb.Service{}
			}
			affine[addr] = append(affine[addr], s)
		}
	}
	if affine == nil {
		return nil
	}
	for _, s := range services {
		for _, addr := range s.Ingress {
			if affine[addr] != nil && !s.Affinity {
				affine[addr] = append(affine[addr], s)
			}
		}
	}
	return affine
}

// rankRoutes sets the ranks of a node's routes.
func (r *rules) rankRoutes(node int, routes []route) {
	if len(r.affine) == 0 {
		return
	}
	for i := range routes {
		if sharers := r.affine[routes[i].addr]; len(sharers) > 0 {
			routes[i].rank = r.rank(routes[i].addr, sharers, node)
		}
	}
}

// contender is a node that may announce an address of its own prefix, not aggregated, to some peer.
type contender struct {
	node int
	hash uint64
	// preference by what is configured: a lower number comes first.
	preference int
}

// contenderKey is what contenders depend on, the Services' endpoints left aside.
type contenderKey struct {
	matches advertisementSet
	family  lb.Family
}

// rank is how many nodes come before one, by its index, for an address of some Services.
func (r *rules) rank(addr netip.Addr, sharers []*lb.Service, node int) (rank int) {
	all := r.servingContenders(addr, sharers)
	me, found := findContender(all, node)
	if !found {
		return 0
	}
	seed := addressSeed(addr)
	own := all[me].score(seed)
	for i := range all {
		if i != me && all[i].precedes(&all[me], seed, own) {
			rank++
		}
	}
	return rank
}

// findContender finds the place of a node, by its index, among contenders.
func findContender(all []contender, node int) (int, bool) {
	return slices.BinarySearchFunc(all, node, func(c contender, node int) int { return c.node - node })
}

// score by rendezvous hash, so that addresses spread over the nodes and a node that leaves moves no more than its own.
func (c *contender) score(seed uint64) uint64 { return rendezvous.Mix(c.hash ^ seed) }

// precedes reports whether a node comes before another one, whose score is given: by what is configured, then by score.
func (c *contender) precedes(other *contender, seed, score uint64) bool {
	if c.preference != other.preference {
		return c.preference < other.preference
	}
	own := c.score(seed)
	return own > score || own == score && c.node < other.node
}

func addressSeed(addr netip.Addr) uint64 {
	bytes := addr.As16()
	return rendezvous.Mix(binary.BigEndian.Uint64(bytes[:8]) ^ rendezvous.Mix(binary.BigEndian.Uint64(bytes[8:])))
}

// servingContenders are the contenders for an address that have endpoints, under the policy Local: those that serve all Services of it
// if there are any, else those that serve some. The list may be shared, and is in order of the nodes.
func (r *rules) servingContenders(addr netip.Addr, sharers []*lb.Service) []contender {
	var matches advertisementSet
	local := false
	for _, s := range sharers {
		matches = matches.union(r.bgpMatches(r.address(s, addr)))
		local = local || s.Local
	}
	all := r.contenders(contenderKey{matches, lb.FamilyOf(addr)})
	if !local {
		return all
	}
	var some, every []contender
	for _, c := range r.withEndpoints(all, addr, sharers) {
		serves := r.servesOf(addr, sharers, c.node)
		if serves > 0 {
			some = append(some, c)
		}
		if serves == len(sharers) {
			every = append(every, c)
		}
	}
	if len(every) > 0 {
		return every
	}
	return some
}

// withEndpoints are those of some contenders that may serve any of some Services at an address: all of them if one is served
// everywhere, else those with endpoints, which are few of many nodes.
func (r *rules) withEndpoints(all []contender, addr netip.Addr, sharers []*lb.Service) (with []contender) {
	family := lb.FamilyOf(addr)
	for _, s := range sharers {
		endpoints := r.world.Endpoints[s.Key]
		if !s.Local || !endpoints.AnyServing(family) {
			return all
		}
		for name := range endpoints.ServingNodes(family) {
			if i, found := findContender(all, r.nodeIndex(name)); found {
				with = append(with, all[i])
			}
		}
	}
	if len(sharers) > 1 {
		slices.SortFunc(with, func(a, b contender) int { return a.node - b.node })
		with = slices.Compact(with)
	}
	return with
}

// servesOf is how many of some Services a node can serve at an address. One without any endpoints counts as served.
func (r *rules) servesOf(addr netip.Addr, sharers []*lb.Service, node int) (count int) {
	for _, s := range sharers {
		a := address{service: s, addr: addr}
		if !r.world.Endpoints[s.Key].AnyServing(lb.FamilyOf(addr)) || r.ineligibleService(a, node) == Eligible {
			count++
		}
	}
	return count
}

// contenders of the addresses that some advertisements announce, in order of the nodes.
func (r *rules) contenders(key contenderKey) []contender {
	if known, ok := r.contendersOf[key]; ok {
		return known
	}
	single := r.unaggregated(key.matches, key.family)
	var all []contender
	var attributes []*Attributes
	var maintained []bool
	for node := range r.nodes {
		if r.nodes[node].ineligible != Eligible {
			continue
		}
		by := r.announceable(r.bgpSelecting(single, node), key.family)
		if by == "" || !r.anyPeerHears(by, node, v1beta1.AdminDown) {
			continue
		}
		maintained = append(maintained, !r.anyPeerHears(by, node, v1beta1.AdminDown, v1beta1.AdminMaintenance))
		all = append(all, contender{node: node, hash: rendezvous.Hash(r.nodes[node].Name)})
		attributes = append(attributes, r.attributes(by))
	}
	for i, preference := range preferences(attributes) {
		if all[i].preference = preference; maintained[i] {
			all[i].preference += len(all) // behind all others
		}
	}
	r.contendersOf[key] = all
	return all
}

// preferences number attributes in the order in which routers prefer them; those that they do not tell apart have one number.
func preferences(attributes []*Attributes) []int {
	order := make([]int, len(attributes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return attributes[a].comparePreference(attributes[b]) })
	numbers := make([]int, len(attributes))
	for i := 1; i < len(order); i++ {
		numbers[order[i]] = numbers[order[i-1]]
		if attributes[order[i]].comparePreference(attributes[order[i-1]]) != 0 {
			numbers[order[i]]++
		}
	}
	return numbers
}

// unaggregated are those of some advertisements that announce each address of a family by a prefix of its own.
func (r *rules) unaggregated(set advertisementSet, family lb.Family) advertisementSet {
	bits := 32
	if family == lb.IPv6 {
		bits = 128
	}
	return set.filter(func(i int) bool { return r.bgp[i].Length(family) == bits })
}

// anyPeerHears reports whether some advertisements are meant for a peer of a node, those of some adminStates left aside.
func (r *rules) anyPeerHears(set advertisementSet, node int, aside ...v1beta1.AdminState) bool {
	return slices.ContainsFunc(r.peers, func(peer *lb.Peer) bool {
		return !slices.Contains(aside, peer.AdminState) && selects(peer, r.nodes[node].Node) &&
			set.filter(func(i int) bool { return r.bgp[i].MatchesPeer(peer.Name) }) != ""
	})
}
