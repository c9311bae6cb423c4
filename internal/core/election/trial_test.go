package election

import (
	"net/netip"
	"testing"
	"time"
)

// wantTrial asserts that all addresses of the last decision are on trial, or that none is.
func (s *fixture) wantTrial(onTrial bool) *fixture {
	s.t.Helper()
	for _, hold := range s.last.Hold {
		if hold.OnTrial != onTrial || hold.First {
			s.t.Fatalf("after %s %s holds %+v, on trial should be %t", s.Now.Sub(epoch), s.elector.node, hold, onTrial)
		}
	}
	return s
}

// announce has n1 say that it has announced the first address, in a term.
func (s *fixture) announce(term uint64) {
	s.Claims.Learn(Claim{Addr: addr(0), Node: "n1", Incarnation: 1, Term: term, Announced: true})
}

// A printer that answers late has not answered the first holder yet when that one is restarted. There is no pause either way.
func TestTrial_TheSuccessorGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		after   time.Duration
		onTrial bool
	}{
		"within the time": {trialTime - ms, true},
		"after it":        {trialTime, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t, 0, contests(1, group(2)), alive(2), unannounced("n1", 0)).at(0).want()
			s.announce(1)
			s.at(sec).want()
			delete(s.Live, "n1")
			s.at(sec + c.after).want(0).wantClaims(1).wantTrial(c.onTrial)
		})
	}
}

// Each holder is there for part of the time only, so none of them has waited for long enough.
func TestTrial_TheTimeBeginsAnewWithEachHolder(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(3)), alive(3), unannounced("n2", 0)).at(0).want()
	s.Claims.Learn(Claim{Addr: addr(0), Node: "n2", Incarnation: 1, Term: 1, Announced: true})
	s.at(sec).want()
	s.announce(2)
	s.at(3 * sec).want()
	delete(s.Live, "n1")
	s.at(5 * sec)
	for at := 5 * sec; len(s.last.Hold) == 0 && at < 6*sec; at += 50 * ms {
		s.at(at) // n2 may be the heir, and does not claim.
	}
	s.want(0).wantTrial(true)
}

// What a speaker hears when it starts may be announced for long.
func TestTrial_OldClaimsAreNone(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(2), Claims{})
	s.Settling = true
	s.at(0).want()
	s.announce(7)
	s.at(100 * ms).want()
	s.Settling = false
	s.at(200 * ms).want()
	delete(s.Live, "n1")
	s.at(300 * ms).want(0).wantTrial(false)
}

// The others would go on with one that is shared.
func TestTrial_WhatIsSharedIsNone(t *testing.T) {
	all := contests(1, group(2))
	all[0].Shared = true
	s := newFixture(t, 0, all, alive(2), unannounced("n1", 0)).at(0)
	s.announce(1)
	s.at(sec)
	delete(s.Live, "n1")
	s.at(2 * sec).want(0).wantTrial(false)
}

// Another host has answered late. Whoever comes next probes, though the address was announced for a moment.
func TestTrial_WhatIsLeftToAnotherHostIsNotMarked(t *testing.T) {
	s := newFixture(t, 0, contests(2, group(1)), alive(1), Claims{}).at(0).at(newAddressDelay).want(0, 1)
	s.Answered = []netip.Addr{addr(0), addr(1)}
	s.at(sec).wantClaims(2)
	s.Answered, s.Left = []netip.Addr{addr(0)}, []netip.Addr{addr(1)}
	s.at(2*sec).want(0, 1).wantClaims(1)
	if claim := s.last.Claims[0]; claim != (Claim{Addr: addr(1), Node: "n0", Incarnation: 1, Term: 2}) {
		t.Fatalf("claims %+v", claim)
	}
	if s.at(3*sec).want(0, 1).wantClaims(0); s.last.Hold[0].First || !s.last.Hold[1].First {
		t.Errorf("holds %+v", s.last.Hold)
	}
	s.Answered = []netip.Addr{addr(0), addr(1)}
	if s.at(3500*ms).want(0, 1).wantClaims(0); !s.last.Hold[1].First {
		t.Errorf("while it is answered on other interfaces: holds %+v", s.last.Hold)
	}
	s.Left = nil
	if s.at(4 * sec).wantClaims(1); !s.last.Claims[0].Announced || s.last.Claims[0].Term != 2 {
		t.Errorf("when it is free it is claimed as %+v", s.last.Claims)
	}
}

// An advertisement was edited, and the address moves to a node on another segment, where nobody has announced it.
func TestTrial_AnAddressThatMovesToAnotherSegmentIsOne(t *testing.T) {
	of := func(segment int, candidate string) []Contest {
		return []Contest{{Addr: addr(0), Group: NewGroup([]Candidate{NewCandidate(candidate, 0)}), HasInterface: segment != 0, Segment: segment}}
	}
	for name, c := range map[string]struct {
		before  int
		dies    time.Duration
		onTrial bool
	}{
		"this node had no interface for it":      {0, sec, true},
		"it had another one":                     {2, sec, true},
		"it had the same":                        {1, sec, false},
		"it has had the interface for some time": {2, sec + newSegmentTime, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t, 0, of(c.before, "n1"), alive(2), held(0, 1)).at(0).want()
			s.contests = of(1, "n1")
			s.at(sec).want()
			s.contests = of(1, "n0")
			s.at(c.dies)
			for at := c.dies; len(s.last.Hold) == 0 && at < c.dies+2*sec; at += 50 * ms {
				s.at(at)
			}
			s.want(0).wantTrial(c.onTrial)
		})
	}
}
