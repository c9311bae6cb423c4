package election

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// wantSearched asserts the addresses that the last decision searches for.
func (s *fixture) wantSearched(interval time.Duration, addresses ...int) *fixture {
	s.t.Helper()
	var want []Search
	for _, i := range addresses {
		want = append(want, Search{addr(i), interval})
	}
	if !slices.Equal(s.last.Search, want) {
		s.t.Fatalf("after %s %s searches for %v, not %v", s.Now.Sub(epoch), s.elector.node, s.last.Search, want)
	}
	return s
}

func TestElector_OneAddressOfEachSilentNodeIsSearchedFor(t *testing.T) {
	// n1 and n2 hold two addresses each, and n0 takes all of them.
	s := newFixture(t, 0, contests(4, group(3)), alive(3), held(0, 2, 2)).at(0).want()
	s.silence("n1").silence("n2").at(ms).answer(NoAnswer).at(2*ms).want(0, 1, 2, 3).wantSearched(searchInterval, 0, 2)
	s.at(time.Hour).wantSearched(searchInterval, 0, 2)
	delete(s.Silent, "n1")
	s.at(2*time.Hour).wantSearched(searchInterval, 2)
	delete(s.Silent, "n2")
	s.at(3 * time.Hour).wantSearched(0)
}

func TestElector_WhoHoldsAnAddressSearchesForIt(t *testing.T) {
	for _, test := range []struct {
		name     string
		holder   Claim
		searched []int
	}{
		{"another node took it", Claim{Addr: addr(0), Node: "n2", Incarnation: 1, Term: 2, Announced: true}, nil},
		{"it was given to this node", Claim{Addr: addr(0), Node: "n0", Incarnation: 1, Term: 2, Announced: true}, []int{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newFixture(t, 0, contests(1, group(3)), alive(3), held(0, 1)).at(0)
			s.Claims.Learn(test.holder) // Before this node has missed n1.
			s.at(ms).silence("n1").at(2*ms).wantSearched(searchInterval, test.searched...)
		})
	}
}

func TestElector_ManySilentNodesAreSearchedForLessOften(t *testing.T) {
	s := newFixture(t, 0, contests(64, group(65)), alive(65), held(0)).at(0)
	for i := range 64 {
		s.Claims.Learn(Claim{Addr: addr(i), Node: nodeName(1 + i), Incarnation: 1, Term: 1, Announced: true})
	}
	s.at(ms)
	for i := range 64 {
		s.silence(nodeName(1 + i))
	}
	s.at(2 * ms).answer(NoAnswer).at(3 * ms)
	if len(s.last.Search) != 64 || s.last.Search[0].Interval != 4*searchInterval {
		t.Errorf("%d searches at %v", len(s.last.Search), s.last.Search)
	}
}

// Both sides hold much, and meet by one address.
func TestElector_WhoMeetsASilentNodeAnnouncesAllItHolds(t *testing.T) {
	const met = 1
	for _, test := range []struct {
		name      string
		fresh     bool
		announced []int
	}{
		{"an address of before the silence", false, []int{0, 1, 2}},
		{"one that is new: others need not be held by both", true, []int{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			node := 0
			if !(Claim{Addr: addr(met), Node: "n0"}).Beats(Claim{Addr: addr(met), Node: "n1"}) {
				node = 1
			}
			rival, claims := nodeName(1-node), Claims{}
			for i := range 3 {
				if !test.fresh || i != met {
					claims.Learn(Claim{Addr: addr(i), Node: nodeName(node), Incarnation: 1, Term: 1, Announced: true})
				}
			}
			s := newFixture(t, node, contests(3, group(2)), alive(2), claims).at(0).silence(rival).at(ms).at(sec).want(0, 1, 2)
			s.Claims.Learn(Claim{Addr: addr(met), Node: nodeName(node), Incarnation: 1, Term: s.Claims[addr(met)].Term, Announced: true})
			s.rivalAt(rival, met, 2*sec, 2*sec).at(2 * sec).answer(Answered).at(2*sec + ms).wantDefended(met)
			var want []netip.Addr
			for _, i := range test.announced {
				want = append(want, addr(i))
			}
			if !slices.Equal(s.last.Announce, want) {
				t.Errorf("%v is announced, not %v", s.last.Announce, want)
			}
			s.rivalAt(rival, met, 2*sec, 3*sec).at(3*sec + ms)
			if len(s.last.Announce) > 0 {
				t.Errorf("%v is announced again at once", s.last.Announce)
			}
		})
	}
}

// One node has met the silent one and ceded an address to it.
func TestElector_ACedeTellsOfTheMeeting(t *testing.T) {
	s := newFixture(t, 0, contests(3, group(3)), alive(3), held(2, 1)).at(0).silence("n2").at(ms).want(0, 1)
	s.Claims.Learn(Claim{Addr: addr(2), Node: "n2", Incarnation: 1, Term: 2, Announced: true})
	s.at(2 * ms)
	if want := []netip.Addr{addr(0), addr(1)}; !slices.Equal(s.last.Announce, want) {
		t.Errorf("%v is announced, not %v", s.last.Announce, want)
	}
	// Nothing need happen in between.
	s.Claims.Learn(Claim{Addr: addr(2), Node: "n1", Incarnation: 1, Term: 3, Announced: true})
	if s.at(3 * ms); len(s.last.Announce) > 0 {
		t.Errorf("%v is announced once more", s.last.Announce)
	}
	s.Claims.Learn(Claim{Addr: addr(2), Node: "n2", Incarnation: 1, Term: 4, Announced: true})
	if s.at(3*ms + meetingTimeout); len(s.last.Announce) != 2 {
		t.Errorf("%v is announced after another meeting", s.last.Announce)
	}
}
