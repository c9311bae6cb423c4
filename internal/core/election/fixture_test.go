package election

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func nodeName(i int) string { return fmt.Sprintf("n%d", i) }

// group returns a group of the first so many nodes, all of one weight.
func group(nodes int) *Group {
	var candidates []Candidate
	for i := range nodes {
		candidates = append(candidates, NewCandidate(nodeName(i), 0))
	}
	return NewGroup(candidates)
}

// weighted returns a group with a weight for each node by name.
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
		contests = append(contests, Contest{Addr: addr(i), Group: g, HasInterface: true})
	}
	return contests
}

// ranked gives addresses ranks of the first so many nodes, by lot, or none.
func ranked(random *rand.Rand, contests []Contest, nodes int) {
	zone := []Rank{}
	for i := range nodes {
		if i%2 == 0 {
			zone = append(zone, Rank{nodeName(i), 1})
		}
	}
	shared := NewRanks(zone, nil)
	for i := range contests {
		switch random.IntN(3) {
		case 0:
			contests[i].Ranks = shared
		case 1:
			contests[i].Ranks = NewRanks([]Rank{{nodeName(random.IntN(nodes)), uint8(1 + random.IntN(3))}}, shared)
		}
	}
}

// alive returns the first so many nodes, each in its first incarnation.
func alive(nodes int) map[string]uint64 {
	live := map[string]uint64{}
	for i := range nodes {
		live[nodeName(i)] = 1
	}
	return live
}

// held returns claims of term 1: the first so many addresses for n0, the next for n1 and so on.
func held(counts ...int) Claims {
	claims, next := Claims{}, 0
	for node, count := range counts {
		for range count {
			claims.Learn(Claim{Addr: addr(next), Node: nodeName(node), Incarnation: 1, Term: 1, Announced: true})
			next++
		}
	}
	return claims
}

// fixture is what one node knows, with its Elector, which is asked at given times.
type fixture struct {
	t        *testing.T
	elector  *Elector
	contests []Contest
	Input
	last Decision
}

func newFixture(t *testing.T, node int, contests []Contest, live map[string]uint64, claims Claims) *fixture {
	return &fixture{
		t: t, elector: NewElector(nodeName(node), 1, time.Minute), contests: contests,
		Input: Input{Now: epoch, Live: live, Claims: maps.Clone(claims)},
	}
}

// at lets the Elector decide at a time after the epoch. Afterwards the node knows its own claims.
func (s *fixture) at(after time.Duration) *fixture {
	s.Now = epoch.Add(after)
	s.last = s.elector.Decide(s.contests, s.Input)
	for _, claim := range s.last.Claims {
		s.Claims.Learn(claim)
	}
	return s
}

// want asserts the addresses that the last decision holds.
func (s *fixture) want(addresses ...int) *fixture {
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

func (s *fixture) wantClaims(count int) *fixture {
	s.t.Helper()
	if len(s.last.Claims) != count {
		s.t.Fatalf("after %s %s claims %v, not %d addresses", s.Now.Sub(epoch), s.elector.node, s.last.Claims, count)
	}
	return s
}

func (s *fixture) wantWait(wait time.Duration) *fixture {
	s.t.Helper()
	if s.last.Wait != wait {
		s.t.Fatalf("after %s %s waits for %s, not %s", s.Now.Sub(epoch), s.elector.node, s.last.Wait, wait)
	}
	return s
}
