package election

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// twoParts of a segment: the first nodes are in one, and the others in the other one.
func twoParts(nodes, first int) *Parts {
	asks, said := map[string][]string{}, map[string]SegmentEdges{}
	for i := range nodes {
		var edges SegmentEdges
		for j := range nodes {
			if i == j {
				continue
			}
			asks[nodeName(i)] = append(asks[nodeName(i)], nodeName(j))
			if (i < first) != (j < first) {
				edges.Cut = append(edges.Cut, nodeName(j))
			}
		}
		said[nodeName(i)] = edges
	}
	return NewParts(asks, said)
}

// apart is what a node knows of four: n0 holds the address, and is in one part with n1, the node in the other one with another.
func apart(t *testing.T, node, address int) *fixture {
	contests := []Contest{{Addr: addr(address), Group: group(4), HasInterface: true, Parts: twoParts(4, 2)}}
	return newFixture(t, node, contests, alive(4), Claims{addr(address): {Addr: addr(address), Node: "n0", Incarnation: 1, Term: 3, Announced: true}})
}

// firstOf is an address that one of two nodes claims before the other one.
func firstOf(node, other int) int {
	for i := 0; ; i++ {
		a, b := NewCandidate(nodeName(node), 0), NewCandidate(nodeName(other), 0)
		if (indexedCandidate{hash: a.hash}).precedes(indexedCandidate{hash: b.hash}, hashAddr(addr(i))) {
			return i
		}
	}
}

func TestElector_TheFirstCandidateOfAPartStandsIn(t *testing.T) {
	i := firstOf(2, 3)
	apart(t, 1, i).at(0).want().at(time.Minute).want()                        // It is in the holder's part.
	apart(t, 3, i).at(0).want().at(time.Minute).want()                        // It is not the first one.
	s := apart(t, 2, i).at(0).want().wantAsked("n0", 1).at(standInAfter - ms) // It searches first.
	if want := []Search{{addr(i), standInSearch}}; !slices.Equal(s.last.Search, want) {
		t.Fatalf("it searches for %v", s.last.Search)
	}
	s.want().answer(NoAnswer).at(standInAfter).want(i).wantClaims(0)
	if want := []StandIn{{addr(i), "n0"}}; !slices.Equal(s.last.StandIns, want) {
		t.Errorf("it stands in for %v", s.last.StandIns)
	}
	s.contests[0].Parts = nil
	s.at(standInAfter + ms).want()
}

func TestElector_WhoHearsTheHolderDoesNotStandIn(t *testing.T) {
	i := firstOf(2, 3)
	s := apart(t, 2, i).at(0).answer(Answered).at(ms).at(time.Minute).want()
	s.answer(NoAnswer).at(time.Minute + ms).want().at(time.Minute + ms + standInAfter).want(i)
	s.answer(Answered).at(2 * time.Minute).want()
	// It hears the holder, and the holder does not hear it.
	s.answer(NoAnswer).at(2*time.Minute + ms).at(3 * time.Minute).want(i)
	s.rivalAt("n0", i, 3*time.Minute, 3*time.Minute).at(3*time.Minute + ms).want()
	s.Rivals = nil
	s.at(3*time.Minute + minStandInPause).want().at(3*time.Minute + minStandInPause + standInAfter + ms).want(i)
	s.rivalAt("n0", i, 4*time.Minute, 4*time.Minute).at(4 * time.Minute).want()
	s.Rivals = nil
	s.at(4*time.Minute + 2*minStandInPause - ms).want() // The pause is longer each time.
}

// allApart is the same where nothing is known of the edge between the two nodes of each part.
func allApart(t *testing.T, node, address int) *fixture {
	s, parts := apart(t, node, address), Parts{of: map[string]int{}, cut: map[int]bool{}}
	for node := range 4 {
		parts.of[nodeName(node)], parts.cut[node] = node, true
	}
	s.contests[0].Parts = &parts
	return s
}

func TestElector_OneOfTwoThatStandInGivesWay(t *testing.T) {
	i := firstOf(3, 2)
	s := allApart(t, 2, i).at(0).answer(NoAnswer).at(standInAfter).want(i)
	s.rivalAt("n3", i, standInAfter, standInAfter).at(standInAfter + ms).want(i).wantAlsoAsked("n3")
	s.answer(NoAnswer)
	s.Answers[Question{"n3", addr(i)}] = Answered
	s.at(standInAfter + 2*ms).want()
	s.Rivals = nil
	s.at(time.Minute).want()
	s.Answers[Question{"n3", addr(i)}] = NoAnswer
	s.at(time.Minute + ms).want().at(time.Minute + ms + standInAfter).want(i)
}

// Both were servers of the address, which has just ceased to be shared: that they answer says nothing, but that they announce it does.
func TestElector_OneOfTwoFormerServersThatStandInGivesWay(t *testing.T) {
	i := firstOf(3, 2)
	s := allApart(t, 2, i)
	claim := s.Claims[addr(i)]
	claim.Shares, claim.Revision = shares.Divide(shares.Table{}, []string{"n0", "n2", "n3"}), 1
	s.Claims.Learn(claim)
	s.at(0).answer(NoAnswer).at(standInAfter)
	claim.Shares, claim.Revision = shares.Table{}, 2
	s.Claims.Learn(claim)
	s.at(standInAfter + ms).at(2*standInAfter + 2*ms).want(i)
	began := s.Now.Sub(epoch)
	s.rivalAt("n3", i, 0, began).at(began + ms).want(i)
	if slices.ContainsFunc(s.last.Ask, func(q Question) bool { return q.Node == "n3" }) {
		t.Fatal("one that only answers is asked")
	}
	s.Rivals[0].HeldSince, s.Rivals[0].Held = epoch.Add(began), epoch.Add(began)
	s.at(began + 2*ms).want(i).wantAlsoAsked("n3")
	s.Answers[Question{"n3", addr(i)}] = Answered
	s.at(began + 3*ms).want()
}

// wantAlsoAsked asserts that a node is asked.
func (s *fixture) wantAlsoAsked(node string) *fixture {
	s.t.Helper()
	if !slices.ContainsFunc(s.last.Ask, func(q Question) bool { return q.Node == node }) {
		s.t.Fatalf("%v are asked, and not %s", s.last.Ask, node)
	}
	return s
}

// A stand-in that is given the address is an ordinary holder, and announces it: the clients of other parts have heard of others.
func TestElector_AStandInThatIsGivenTheAddressHoldsIt(t *testing.T) {
	i := firstOf(2, 3)
	s := apart(t, 2, i).at(0).answer(NoAnswer).at(standInAfter).want(i)
	s.Claims[addr(i)] = Claim{Addr: addr(i), Node: "n2", Incarnation: 1, Term: 4, Announced: true}
	if s.at(standInAfter + ms).want(i); len(s.last.StandIns) > 0 || !slices.Equal(s.last.Announce, []netip.Addr{addr(i)}) {
		t.Errorf("it stands in for %v and announces %v", s.last.StandIns, s.last.Announce)
	}
	former := apart(t, 0, i)
	former.Claims[addr(i)] = Claim{Addr: addr(i), Node: "n2", Incarnation: 1, Term: 4, Announced: true}
	former.contests[0].Group = NewGroup([]Candidate{NewCandidate("n0", 0), NewCandidate("n2", 0)})
	former.at(0).want().answer(NoAnswer).at(standInAfter).want(i)
}

func TestElector_TheHolderSaysWhoIsHeardAndDoesNotHear(t *testing.T) {
	i := firstOf(2, 3)
	s := apart(t, 0, i).at(0).want(i).rivalAt("n2", i, 0, 0).at(ms).want(i).wantDefended(i)
	if len(s.last.Heard) > 0 {
		t.Errorf("heard is at once %v", s.last.Heard)
	}
	s.rivalAt("n2", i, 0, standInHeard).at(standInHeard + rivalFresh).want(i)
	if len(s.last.Heard) > 0 {
		t.Errorf("heard is what may have been before a cut: %v", s.last.Heard)
	}
	s.rivalAt("n2", i, 0, standInHeard+rivalFresh).at(standInHeard + rivalFresh).want(i).wantClaims(0)
	if len(s.last.Heard) != 1 || s.last.Heard[0].Node != "n2" {
		t.Errorf("heard is %v", s.last.Heard)
	}
}

func TestElector_TheHolderAnnouncesWhenPartsJoin(t *testing.T) {
	s := apart(t, 0, 0).at(0).want(0).at(ms)
	if len(s.last.Announce) > 0 {
		t.Errorf("it announces %v", s.last.Announce)
	}
	s.contests[0].Parts = nil
	if s.at(2 * ms); !slices.Equal(s.last.Announce, []netip.Addr{addr(0)}) {
		t.Errorf("it announces %v", s.last.Announce)
	}
}

// On a segment in parts nothing is evened out, and once it is whole everything is.
func TestElector_NothingIsEvenedOutBetweenParts(t *testing.T) {
	claims := Claims{}
	for i := range 4 {
		claims[addr(i)] = Claim{Addr: addr(i), Node: "n0", Incarnation: 1, Term: 1, Announced: true}
	}
	all := contests(4, group(2))
	for i := range all {
		all[i].Parts = twoParts(2, 1)
	}
	s := newFixture(t, 1, all, alive(2), claims).at(0).at(time.Hour).wantClaims(0)
	for i := range all {
		all[i].Parts = nil
	}
	s.at(time.Hour + sec).at(2 * time.Hour).wantClaims(1)
}

func TestParts_AreWhatNoEdgeConnects(t *testing.T) {
	asks := map[string][]string{"n1": {"n2"}, "n2": {"n3"}, "n3": {"n4"}, "n4": {"n1"}}
	said := func(cut, open, heard map[string][]string) *Parts {
		all := map[string]SegmentEdges{}
		for node := range asks {
			all[node] = SegmentEdges{Cut: cut[node], Open: open[node], Heard: heard[node]}
		}
		return NewParts(asks, all)
	}
	none := map[string][]string{}
	for _, c := range []struct {
		name  string
		parts *Parts
		apart []string // of n1
	}{
		{"nothing is cut", said(none, none, none), nil},
		{"one edge of a ring", said(map[string][]string{"n1": {"n2"}}, none, none), nil},
		{"two edges", said(map[string][]string{"n1": {"n2"}, "n3": {"n4"}}, none, none), []string{"n2", "n3"}},
		{"three parts", said(map[string][]string{"n1": {"n2"}, "n2": {"n3"}, "n3": {"n4"}}, none, none), []string{"n2", "n3"}},
		{"a node alone", said(map[string][]string{"n4": {"n1"}, "n1": {"n2"}}, none, none), []string{"n2", "n3", "n4"}},
		{"nobody has ever answered", said(none, map[string][]string{"n1": {"n2"}, "n3": {"n4"}}, none), nil},
		{"one that is new knows nothing", said(map[string][]string{"n1": {"n2"}}, map[string][]string{"n3": {"n4"}}, none), []string{"n2", "n3"}},
		{"one is heard all the same", said(map[string][]string{"n1": {"n2"}, "n3": {"n4"}}, none, map[string][]string{"n1": {"n3"}}), nil},
	} {
		var got []string
		for _, other := range []string{"n1", "n2", "n3", "n4"} {
			if c.parts.Apart("n1", other) {
				got = append(got, other)
			}
		}
		if !slices.Equal(got, c.apart) || c.parts.others("n1") != len(c.apart) || c.parts.Several() != (len(c.apart) > 0) {
			t.Errorf("%s: apart from n1 are %v, %d", c.name, got, c.parts.others("n1"))
		}
	}
	if said(map[string][]string{"n1": {"n2"}, "n3": {"n4"}}, none, none).Apart("n1", "n9") {
		t.Error("a node that nothing is known of is apart")
	}
}
