package election

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

func nodeName(i int) string { return fmt.Sprintf("n%d", i) }

// group of the first so many nodes, all of one weight.
func group(nodes int) *Group {
	var candidates []Candidate
	for i := range nodes {
		candidates = append(candidates, NewCandidate(nodeName(i), 0))
	}
	return NewGroup(candidates)
}

// weighted is a group with a weight for each node by name.
func weighted(weights map[string]int) *Group {
	var candidates []Candidate
	for node, weight := range weights {
		candidates = append(candidates, NewCandidate(node, weight))
	}
	return NewGroup(candidates)
}

func contests(count int, g *Group) []Contest {
	var contests []Contest
	for i := range count {
		contests = append(contests, Contest{addr(i), g, true})
	}
	return contests
}

// alive are the first so many nodes, as their first instance.
func alive(nodes int) map[string]uint64 {
	live := map[string]uint64{}
	for i := range nodes {
		live[nodeName(i)] = 1
	}
	return live
}

// held are claims of term 1, dealt out to nodes: the first so many addresses to n0 and so on.
func held(counts ...int) Claims {
	claims, next := Claims{}, 0
	for node, count := range counts {
		for range count {
			claims.Learn(Claim{addr(next), nodeName(node), 1, 1})
			next++
		}
	}
	return claims
}

// scene is the view of one node, whose elector is asked at given times.
type scene struct {
	t        *testing.T
	elector  *Elector
	contests []Contest
	Input
	last Decision
}

func newScene(t *testing.T, node int, contests []Contest, live map[string]uint64, claims Claims) *scene {
	return &scene{
		t: t, elector: NewElector(nodeName(node), 1, time.Minute), contests: contests,
		Input: Input{Now: epoch, Live: live, Claims: maps.Clone(claims)},
	}
}

// at a time since the beginning the elector decides; what it claims it then knows.
func (s *scene) at(after time.Duration) *scene {
	s.Now = epoch.Add(after)
	s.last = s.elector.Decide(s.contests, s.Input)
	for _, claim := range s.last.Claims {
		s.Claims.Learn(claim)
	}
	return s
}

// want the last decision to hold these addresses.
func (s *scene) want(addresses ...int) *scene {
	s.t.Helper()
	got := []int{}
	for _, h := range s.last.Hold {
		got = append(got, number(h.Addr))
	}
	if !slices.Equal(got, addresses) && len(got)+len(addresses) > 0 {
		s.t.Fatalf("after %s %s holds %v, not %v", s.Now.Sub(epoch), s.elector.node, got, addresses)
	}
	return s
}

func (s *scene) wantClaims(count int) *scene {
	s.t.Helper()
	if len(s.last.Claims) != count {
		s.t.Fatalf("after %s %s claims %v, not %d addresses", s.Now.Sub(epoch), s.elector.node, s.last.Claims, count)
	}
	return s
}

func (s *scene) wantWait(wait time.Duration) *scene {
	s.t.Helper()
	if s.last.Wait != wait {
		s.t.Fatalf("after %s %s waits for %s, not %s", s.Now.Sub(epoch), s.elector.node, s.last.Wait, wait)
	}
	return s
}
