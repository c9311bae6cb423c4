package reconcile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// maxCutNodes bounds the nodes that are named of a segment.
const maxCutNodes = 10

// edgesOf are the questions to other live nodes on the segments that the gossip does not use.
func (l *Loop) edgesOf(seen *snapshot, plan *announce.Plan) []announce.Layer2Edge {
	if !seen.gossip.IsValid() {
		return nil
	}
	links := make(map[string][]lb.Link, len(seen.live))
	for node := range seen.live {
		links[node] = seen.view.Peers[node].State.Links
	}
	gossip := make(map[string]netip.AddrPort, len(seen.speakers)+1)
	for node, at := range seen.speakers {
		gossip[node] = at
	}
	gossip[l.cfg.Node] = seen.gossip
	return plan.Layer2Edges(l.cfg.Node, seen.world.OwnLinks, links, gossip)
}

// watchEdges notes which edges are cut, and returns when to look again; 0: no need.
func (m *memory) watchEdges(now time.Time, edges []announce.Layer2Edge, answers map[election.Question]election.Answer) time.Duration {
	known := make(map[election.Edge]election.Answer, len(edges))
	for _, edge := range edges {
		known[edge.Edge] = answers[edge.Question]
	}
	cut, wait := m.edges.Observe(now, known)
	m.cuts = cutTexts(cut)
	return wait
}

// cutTexts say for each subnet to which nodes it does not lead, in order.
func cutTexts(cut []election.Edge) (texts []string) {
	nodes := map[netip.Prefix][]string{}
	var subnets []netip.Prefix
	for _, edge := range cut {
		if nodes[edge.Subnet] == nil {
			subnets = append(subnets, edge.Subnet)
		}
		nodes[edge.Subnet] = append(nodes[edge.Subnet], edge.Node)
	}
	slices.SortFunc(subnets, netip.Prefix.Compare)
	for _, subnet := range subnets {
		names := nodes[subnet]
		if more := len(names) - maxCutNodes; more > 0 {
			names = append(slices.Clone(names[:maxCutNodes]), fmt.Sprintf("%d more", more))
		}
		texts = append(texts, fmt.Sprintf(
			"the segment of %s does not lead to %s any more, and the gossip does: is a switch cut? Nobody answers here for the addresses that they hold there",
			subnet, strings.Join(names, ", ")))
	}
	return texts
}
