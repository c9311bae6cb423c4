package election

import (
	"testing"
	"time"
)

// takesAndLoses lets n1 take the address of n0 that is next when it is time to even out, which n0 has back a moment later.
func (s *fixture) takesAndLoses(at time.Duration) *fixture {
	s.t.Helper()
	s.at(at - ms).wantClaims(0).wantWait(ms).at(at).wantClaims(1)
	taken := s.last.Claims[0]
	taken.Node, taken.Term = "n0", taken.Term+1
	s.Claims.Learn(taken)
	return s.at(at + unverifiedClaimTimeout).want().wantClaims(0)
}

// n0 does not know that n1 may have the address, and takes it back each time.
func TestElector_WhatWasTakenBackIsNotTakenAgainAtOnce(t *testing.T) {
	s := newFixture(t, 1, contests(2, group(2)), alive(2), held(2)).at(0)
	next := time.Minute
	for pause := time.Minute; pause <= 8*time.Minute; pause *= 2 {
		s.takesAndLoses(next).wantWait(pause)
		next += unverifiedClaimTimeout + pause
		s.at(next - ms).wantClaims(0).at(next).wantClaims(0).wantWait(time.Minute) // Then it waits as for any uneven spread.
		next += time.Minute
	}
	s.at(next).wantClaims(1).at(next + ms).at(next + maxTakenBack*time.Minute).at(next + 2*maxTakenBack*time.Minute)
	if len(s.elector.takenBack) > 0 {
		t.Errorf("it remembers %v", s.elector.takenBack)
	}
}

// Others give this node their part meanwhile.
func TestElector_WhatWasTakenBackDoesNotHinderOthers(t *testing.T) {
	s := newFixture(t, 1, contests(4, group(3)), alive(3), held(2, 0, 2)).at(0)
	s.at(time.Minute).wantClaims(1)
	taken := s.last.Claims[0]
	giver := "n2"
	if taken.Addr == addr(0) || taken.Addr == addr(1) {
		giver = "n0"
	}
	s.Claims.Learn(Claim{Addr: taken.Addr, Node: giver, Incarnation: 1, Term: 3, Announced: true})
	s.at(time.Minute + sec).wantClaims(1)
	if got := s.last.Claims[0].Addr; (got == addr(0) || got == addr(1)) == (giver == "n0") {
		t.Errorf("it takes %d from %s once more", number(got), giver)
	}
}

// This node was drained after it had taken the address: it goes back because of that.
func TestElector_WhoMayNotHoldItWasNotRefused(t *testing.T) {
	s := newFixture(t, 1, contests(2, group(2)), alive(2), held(2)).at(0).at(time.Minute).wantClaims(1)
	taken := s.last.Claims[0]
	s.contests = contests(2, group(1))
	s.Claims.Learn(Claim{Addr: taken.Addr, Node: "n0", Incarnation: 1, Term: 3, Announced: true})
	s.at(time.Minute + sec)
	s.contests = contests(2, group(2))
	s.at(time.Minute + 2*sec).wantClaims(0).wantWait(time.Minute)
}
