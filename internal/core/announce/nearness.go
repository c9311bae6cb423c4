package announce

import (
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Which node is near the endpoints of a Service. A service proxy that is to prefer endpoints on its node or in its zone does so for
// traffic from outside as well, if externalTrafficPolicy is Cluster; so the traffic stays on the holder, or in its zone, if
// endpoints are there. Under Local it stays on the holder anyway, and more endpoints bear more of it.

// The ranks of nodes under Cluster.
const (
	rankSameZone = 1
	rankSameNode = 2
)

// maxSums bounds the sums that are kept. Each pod that comes or goes makes another Ranks, and so other sums.
const maxSums = 4096

// nearness of nodes to endpoints, as ranks.
type nearness struct {
	*rules
	// zones is a cache: the ranks of the nodes in some zones, by their names.
	zones map[string]*election.Ranks
	// made are all Ranks by what they are, so that addresses with equal ones share them: an Elector works out much for new ones.
	made map[ranksKey]*election.Ranks
	// sums is a cache: the sums of two Ranks, in the order of the Services.
	sums map[[2]*election.Ranks]*election.Ranks
}

func newNearness(r *rules) *nearness {
	return &nearness{r, map[string]*election.Ranks{}, map[ranksKey]*election.Ranks{}, map[[2]*election.Ranks]*election.Ranks{}}
}

// ranksKey is what Ranks are made of: the nodes, in order, with their ranks, and the rest.
type ranksKey struct {
	own  string
	rest *election.Ranks
}

// share returns the Ranks of some nodes and the rest, always the same.
func (n *nearness) share(own []election.Rank, rest *election.Ranks) *election.Ranks {
	slices.SortFunc(own, func(a, b election.Rank) int { return strings.Compare(a.Node, b.Node) })
	var text []byte
	for _, rank := range own {
		text = append(append(text, rank.Node...), 0, rank.Rank)
	}
	key := ranksKey{string(text), rest}
	known := n.made[key]
	if known == nil {
		known = election.NewRanks(own, rest)
		n.made[key] = known
	}
	return known
}

// ranks of the nodes for an address: the sum over the Services that share it.
func (n *nearness) ranks(d *demand) (all *election.Ranks) {
	if !n.prefersEndpoints(d.matches) {
		return nil
	}
	for _, by := range d.by {
		switch ranks := n.ranksFor(by.service, lb.FamilyOf(d.addr)); {
		case all == nil:
			all = ranks
		case ranks != nil:
			all = n.sum(all, ranks)
		}
	}
	return all
}

// prefersEndpoints reports whether all layer-2 advertisements of an address let endpoints decide between nodes.
func (r *rules) prefersEndpoints(matches advertisementSet) bool {
	for i := range matches.all() {
		if r.l2[i].Preference == v1beta1.PreferNone {
			return false
		}
	}
	return true
}

// ranksFor a Service; nil: all nodes are alike.
func (n *nearness) ranksFor(s *lb.Service, family lb.Family) *election.Ranks {
	endpoints := n.world.Endpoints[s.Key]
	switch {
	case s.Local:
		if ranks := localRanks(endpoints, family); ranks != nil {
			return n.share(ranks, nil)
		}
		return nil
	case s.Distribution == lb.SameZone:
		return n.zoneRanks(n.zonesWith(endpoints, family))
	case s.Distribution == lb.SameNode:
		var own []election.Rank
		for node := range endpoints.ServingNodes(family) {
			own = append(own, election.Rank{Node: node, Rank: rankSameNode})
		}
		return n.share(own, n.zoneRanks(n.zonesWith(endpoints, family)))
	}
	return nil
}

// localRanks are the numbers of ready endpoints; nil when they are all the same.
func localRanks(endpoints lb.Endpoints, family lb.Family) (ranks []election.Rank) {
	differ := false
	for node := range endpoints.ServingNodes(family) {
		rank := uint8(min(endpoints.ReadyOnNode(node, family), math.MaxUint8)) //nolint:gosec // it is bounded
		ranks = append(ranks, election.Rank{Node: node, Rank: rank})
		differ = differ || ranks[0].Rank != rank
	}
	if !differ {
		return nil
	}
	return ranks
}

// zonesWith serving endpoints, in order.
func (r *rules) zonesWith(endpoints lb.Endpoints, family lb.Family) (zones []string) {
	for node := range endpoints.ServingNodes(family) {
		if i := r.nodeIndex(node); i >= 0 && r.nodes[i].Labels[corev1.LabelTopologyZone] != "" {
			zones = append(zones, r.nodes[i].Labels[corev1.LabelTopologyZone])
		}
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}

// zoneRanks are the ranks of all nodes in some zones; nil if there are no zones.
func (n *nearness) zoneRanks(zones []string) *election.Ranks {
	if len(zones) == 0 {
		return nil
	}
	key := strings.Join(zones, ",") // no label has a comma
	if known := n.zones[key]; known != nil {
		return known
	}
	var ranks []election.Rank
	for i := range n.nodes {
		if _, found := slices.BinarySearch(zones, n.nodes[i].Labels[corev1.LabelTopologyZone]); found {
			ranks = append(ranks, election.Rank{Node: n.nodes[i].Name, Rank: rankSameZone})
		}
	}
	n.zones[key] = n.share(ranks, nil)
	return n.zones[key]
}

func (n *nearness) sum(a, b *election.Ranks) *election.Ranks {
	key := [2]*election.Ranks{a, b}
	if known := n.sums[key]; known != nil {
		return known
	}
	var ranks []election.Rank
	for i := range n.nodes {
		name := n.nodes[i].Name
		if rank := min(int(a.Of(name))+int(b.Of(name)), math.MaxUint8); rank > 0 {
			ranks = append(ranks, election.Rank{Node: name, Rank: uint8(rank)})
		}
	}
	if len(n.sums) >= maxSums {
		clear(n.sums) // share finds those that are made again
	}
	n.sums[key] = n.share(ranks, nil)
	return n.sums[key]
}

// nearnessText says in the condition what becomes of trafficDistribution at an address; "" where the Service does not ask for it.
func (r *rules) nearnessText(a address, matches advertisementSet) string {
	if a.service.Local || !r.prefersEndpoints(matches) {
		return ""
	}
	switch a.service.Distribution {
	case lb.SameZone:
		return ", of equal nodes from one in a zone with endpoints"
	case lb.SameNode:
		return ", of equal nodes from one with an endpoint or else in a zone with endpoints"
	case lb.Anywhere:
	}
	return ""
}

// nearnessOf says in words what a node, by its index, has of the endpoints of a Service; "": nothing, or that does not count.
func (r *rules) nearnessOf(a address, matches advertisementSet) func(node int) string {
	endpoints, family := r.world.Endpoints[a.service.Key], lb.FamilyOf(a.addr)
	switch {
	case !r.prefersEndpoints(matches):
	case a.service.Local && localRanks(endpoints, family) != nil:
		return func(node int) string { return readyText(endpoints.ReadyOnNode(r.nodes[node].Name, family)) }
	case a.service.Local:
	case a.service.Distribution != lb.Anywhere:
		zones := r.zonesWith(endpoints, family)
		return func(node int) string {
			_, sameZone := slices.BinarySearch(zones, r.nodes[node].Labels[corev1.LabelTopologyZone])
			switch {
			case a.service.Distribution == lb.SameNode && endpoints.ServingOnNode(r.nodes[node].Name, family):
				return "preferred: an endpoint is on it"
			case sameZone:
				return "preferred: endpoints are in its zone"
			}
			return ""
		}
	}
	return func(int) string { return "" }
}

func readyText(ready int) string {
	switch ready {
	case 0:
		return ""
	case 1:
		return "1 ready endpoint"
	}
	return fmt.Sprintf("%d ready endpoints", ready)
}
