package election

import (
	"testing"
	"time"
)

func TestElector_ReleasesAnAddressThatIsNoContestAnyMore(t *testing.T) {
	s := newFixture(t, 0, contests(3, group(2)), alive(2), held(2, 1)).at(0).want(0, 1)
	s.contests = s.contests[1:]
	s.at(time.Second).want(1)
	if got := s.Claims[addr(0)]; !got.free() || got.Term != 2 {
		t.Errorf("the claim is now %+v", got)
	}
	s.contests = nil
	if s.at(2 * time.Second); len(s.last.Claims) != 1 {
		t.Errorf("claims %+v, want one that releases our own address and leaves the other's alone", s.last.Claims)
	}
}

func TestElector_ReleasedAddressGoesToTheLeastLoaded(t *testing.T) {
	claims := held(2, 0)
	claims.Learn(Claim{Addr: addr(2), Node: "n0", Incarnation: 1, Term: 7})
	s := newFixture(t, 1, contests(3, group(2)), alive(2), claims).at(0).want()
	s.Claims.Learn(Claim{Addr: addr(2), Incarnation: 1, Term: 8})
	s.at(time.Second).want()
	if s.at(time.Second + newAddressDelay).want(2); !s.last.Hold[0].First || s.Claims[addr(2)].Term != 9 {
		t.Errorf("it is held as %+v by %+v, want as for the first time and by a higher term", s.last.Hold[0], s.Claims[addr(2)])
	}
}

func TestElector_AddressWithoutCandidatesKeepsItsHolder(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0).want(0)
	s.contests[0].Group = NewGroup(nil)
	if s.at(time.Second).want(); len(s.last.Claims) > 0 {
		t.Errorf("claims %+v", s.last.Claims)
	}
	s.contests[0].Group = group(2)
	s.at(10 * time.Second).want(0)
}

func TestElector_AddressWithoutCandidatesDelaysNoOther(t *testing.T) {
	all := contests(2, group(1))
	all[0].Group = NewGroup(nil)
	newFixture(t, 0, all, alive(1), Claims{}).at(0).want().at(newAddressDelay / 2).want().at(newAddressDelay).want(1)
}
