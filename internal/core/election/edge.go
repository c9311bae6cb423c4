package election

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	// edgeTimeout is how long an edge must have had no answer to be cut.
	edgeTimeout = time.Second
	// edgeMemory is for how long an edge is remembered that is not asked about, as while the other node's speaker restarts.
	edgeMemory = 10 * time.Minute
	// heardMemory is how long a node counts as heard, while edges are cut.
	heardMemory = 15 * time.Second
)

// Edge leads from this node to another one, on the segment of a subnet that both have.
type Edge struct {
	Node   string
	Subnet netip.Prefix
}

// compare orders edges by subnet and node.
func (e Edge) compare(other Edge) int {
	return cmp.Or(e.Subnet.Compare(other.Subnet), strings.Compare(e.Node, other.Node))
}

// SegmentEdges are what a node says of the segment of a subnet. The nodes that it asks there and does not name do answer.
type SegmentEdges struct {
	Subnet netip.Prefix
	// Cut are the nodes that have answered before and do not any more, Open those that have never answered. Both are in order.
	Cut, Open []string
	// Heard are nodes that are heard all the same, in order, since frames are lost in one direction.
	Heard []string
}

// Equal reports whether two say the same.
func (s SegmentEdges) Equal(other SegmentEdges) bool {
	return s.Subnet == other.Subnet && slices.Equal(s.Cut, other.Cut) && slices.Equal(s.Open, other.Open) && slices.Equal(s.Heard, other.Heard)
}

// EdgeWatch finds out which edges of this node are cut. Only an edge that had an answer can be: a host may never answer,
// though it is there. The zero value knows none.
type EdgeWatch struct {
	edges map[Edge]edgeState
	heard map[Edge]time.Time
}

// Heard notes that a node was heard at a time, from which there is no answer.
func (w *EdgeWatch) Heard(edge Edge, at time.Time) {
	if w.heard == nil {
		w.heard = map[Edge]time.Time{}
	}
	w.heard[edge] = at
}

type edgeState struct {
	asked, unanswered time.Time // unanswered is since when there is no answer; zero: there is one, or never was.
	answered          bool
}

// Observe takes the answers of all edges of a node that are asked about, and the parts of the subnets as they were last. It
// returns what to say of each subnet, in order, and when to look again though nothing changes; 0: no need.
func (w *EdgeWatch) Observe(
	now time.Time, self string, answers map[Edge]Answer, parts map[netip.Prefix]*Parts,
) (said []SegmentEdges, wait time.Duration) {
	if w.edges == nil {
		w.edges = map[Edge]edgeState{}
	}
	edges := make([]Edge, 0, len(answers))
	for edge := range answers {
		edges = append(edges, edge)
	}
	slices.SortFunc(edges, Edge.compare)
	for _, edge := range edges {
		state := w.edges[edge].next(now, answers[edge], parts[edge.Subnet].Apart(self, edge.Node))
		w.edges[edge] = state
		if len(said) == 0 || said[len(said)-1].Subnet != edge.Subnet {
			said = append(said, SegmentEdges{Subnet: edge.Subnet})
		}
		wait = Sooner(wait, state.say(now, edge.Node, &said[len(said)-1]))
	}
	wait = Sooner(wait, w.sayHeard(now, said, parts))
	for edge, state := range w.edges {
		if now.Sub(state.asked) > edgeMemory {
			delete(w.edges, edge)
		}
	}
	return said, wait
}

// next is the state after an answer. A speaker that is new takes the word of others for it that an edge is cut.
func (s edgeState) next(now time.Time, answer Answer, apart bool) edgeState {
	s.asked = now
	switch {
	case answer == Answered:
		s.answered, s.unanswered = true, time.Time{}
	case answer == NoAnswer && s.answered && s.unanswered.IsZero():
		s.unanswered = now
	case answer == NoAnswer && !s.answered && apart:
		s.answered, s.unanswered = true, now.Add(-edgeTimeout)
	}
	return s
}

// say names the node if it does not answer, and returns how long it is until it is named; 0: nothing has to be waited for.
func (s edgeState) say(now time.Time, node string, in *SegmentEdges) (wait time.Duration) {
	switch left := edgeTimeout - now.Sub(s.unanswered); {
	case !s.answered:
		in.Open = append(in.Open, node)
	case s.unanswered.IsZero():
	case left > 0:
		return left
	default:
		in.Cut = append(in.Cut, node)
	}
	return 0
}

// sayHeard names the nodes that are heard, on the subnets where edges are cut, and returns when that ends; 0: there are
// none.
func (w *EdgeWatch) sayHeard(now time.Time, said []SegmentEdges, parts map[netip.Prefix]*Parts) (wait time.Duration) {
	// order does not matter: the names are sorted below
	for edge, at := range w.heard {
		i, left := slices.IndexFunc(said, func(s SegmentEdges) bool { return s.Subnet == edge.Subnet }), heardMemory-now.Sub(at)
		if left <= 0 || i < 0 || parts[edge.Subnet] == nil {
			delete(w.heard, edge)
			continue
		}
		said[i].Heard = append(said[i].Heard, edge.Node)
		wait = Sooner(wait, left)
	}
	for i := range said {
		slices.Sort(said[i].Heard)
	}
	return wait
}
