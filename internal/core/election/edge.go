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
)

// Edge leads from this node to another one, on the segment of a subnet that both have.
type Edge struct {
	Node   string
	Subnet netip.Prefix
}

// compare orders edges by node and subnet.
func (e Edge) compare(other Edge) int {
	return cmp.Or(strings.Compare(e.Node, other.Node), e.Subnet.Compare(other.Subnet))
}

// EdgeWatch finds out which edges of this node are cut. Only an edge that had an answer can be: a host may never answer, though
// it is there. The zero value knows none.
type EdgeWatch struct{ edges map[Edge]edgeState }

type edgeState struct {
	asked, unanswered time.Time // unanswered is since when there is no answer; zero: there is one, or never was.
	answered          bool
}

// Observe takes the answers of all edges that are asked about, and returns those that are cut, in order, and when to look again though
// nothing changes; 0: no need.
func (w *EdgeWatch) Observe(now time.Time, answers map[Edge]Answer) (cut []Edge, wait time.Duration) {
	if w.edges == nil {
		w.edges = map[Edge]edgeState{}
	}
	// order does not matter: each edge is judged alone, and the cut ones are sorted
	for edge, answer := range answers {
		state := w.edges[edge]
		state.asked = now
		switch {
		case answer == Answered:
			state.answered, state.unanswered = true, time.Time{}
		case answer == NoAnswer && state.answered && state.unanswered.IsZero():
			state.unanswered = now
		}
		w.edges[edge] = state
		if state.unanswered.IsZero() {
			continue
		}
		if left := edgeTimeout - now.Sub(state.unanswered); left > 0 {
			wait = Sooner(wait, left)
		} else {
			cut = append(cut, edge)
		}
	}
	for edge, state := range w.edges {
		if now.Sub(state.asked) > edgeMemory {
			delete(w.edges, edge)
		}
	}
	slices.SortFunc(cut, Edge.compare)
	return cut, wait
}
