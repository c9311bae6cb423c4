package reconcile

import (
	"fmt"
	"maps"
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
	return plan.Layer2Edges(l.cfg.Node, seen.world.OwnLinks, l.liveLinks(seen), l.gossipAddresses(seen))
}

// liveLinks are what the live nodes say of their links, this one included.
func (l *Loop) liveLinks(seen *snapshot) map[string][]lb.Link {
	links := make(map[string][]lb.Link, len(seen.live))
	for node := range seen.live {
		links[node] = seen.view.Peers[node].State.Links
		if node == l.cfg.Node {
			links[node] = seen.relevant
		}
	}
	return links
}

// gossipAddresses are where the nodes gossip.
func (l *Loop) gossipAddresses(seen *snapshot) map[string]netip.AddrPort {
	gossip := maps.Clone(seen.speakers)
	if gossip == nil {
		gossip = map[string]netip.AddrPort{}
	}
	gossip[l.cfg.Node] = seen.gossip
	return gossip
}

// segments are what is known of the segments that the gossip does not use.
type segments struct {
	edges election.EdgeWatch
	// said is what this node says of them, and parts are the parts of those that are cut.
	said      []election.SegmentEdges
	parts     map[netip.Prefix]*election.Parts
	fallsInto announce.SegmentParts
	// standIns are the addresses that this node answers for in the place of others.
	standIns []election.StandIn
}

// watchSegments finds out which edges are cut, and into which parts the segments fall that this node asks on. It returns
// when to look again; 0: no need. Below version 2 nobody says what is cut.
func (l *Loop) watchSegments(now time.Time, seen *snapshot, edges []announce.Layer2Edge) (wait time.Duration) {
	s := &l.memory.segments
	answers := make(map[election.Edge]election.Answer, len(edges))
	for _, edge := range edges {
		answers[edge.Edge] = seen.answers[edge.Question]
	}
	s.said, wait = s.edges.Observe(now, l.cfg.Node, answers, s.parts)
	s.parts = nil
	if len(s.said) == 0 || seen.view.Version < 2 {
		return wait
	}
	said := map[string][]election.SegmentEdges{l.cfg.Node: s.said}
	for node := range seen.live {
		if node != l.cfg.Node {
			said[node] = seen.view.Peers[node].State.Segments
		}
	}
	s.parts = s.fallsInto.Update(said, l.liveLinks(seen), l.gossipAddresses(seen))
	return wait
}

// noteHeard notes who is heard on a segment and does not hear this node. It returns when to say so; 0: it is said.
func (s *segments) noteHeard(heard []election.Rival) (wait time.Duration) {
	for _, rival := range heard {
		for i := range s.said {
			if said := &s.said[i]; said.Subnet.Contains(rival.Addr) && s.parts[said.Subnet] != nil {
				s.edges.Heard(election.Edge{Node: rival.Node, Subnet: said.Subnet}, rival.Last)
				if !slices.Contains(said.Heard, rival.Node) {
					wait = time.Millisecond
				}
			}
		}
	}
	return wait
}

// texts say what is cut, and for whom this node stands in.
func (s *segments) texts() []string {
	return append(cutTexts(s.said), standInTexts(s.standIns)...)
}

// cutTexts say for each subnet to which nodes it does not lead, in order.
func cutTexts(said []election.SegmentEdges) (texts []string) {
	for _, edges := range said {
		if len(edges.Cut) > 0 {
			texts = append(texts, fmt.Sprintf("the segment of %s does not lead to %s any more, and the gossip does: is a switch cut?",
				edges.Subnet, firstNames(edges.Cut)))
		}
	}
	return texts
}

// standInTexts say in whose place this node answers for how many addresses, in order of node.
func standInTexts(standIns []election.StandIn) (texts []string) {
	byHolder := map[string][]netip.Addr{}
	for _, s := range standIns {
		byHolder[s.Holder] = append(byHolder[s.Holder], s.Addr)
	}
	for _, holder := range slices.Sorted(maps.Keys(byHolder)) {
		addresses := byHolder[holder]
		text := fmt.Sprintf("this node stands in for %s, and answers here for %s", holder, addresses[0])
		if more := len(addresses) - 1; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		texts = append(texts, text)
	}
	return texts
}

// firstNames lists nodes, not more than a person reads.
func firstNames(names []string) string {
	if more := len(names) - maxCutNodes; more > 0 {
		names = append(slices.Clone(names[:maxCutNodes]), fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
