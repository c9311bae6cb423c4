package election

import (
	"testing"
	"time"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

func TestElector_HolderIsSticky(t *testing.T) {
	preferred := weighted(map[string]int{"n0": 0, "n1": 100})
	s := newFixture(t, 0, contests(3, preferred), alive(1), held(3)).at(0).want(0, 1, 2).wantClaims(0)
	s.Live = alive(2)
	s.at(sec).want(0, 1, 2).wantClaims(0)
	s.at(59*sec).want(0, 1, 2).wantClaims(0)
	newFixture(t, 1, contests(3, preferred), alive(2), held(3)).at(0).at(59 * sec).want().wantClaims(0)
}

func TestElector_RestartedNodeHoldsNothing(t *testing.T) {
	live := map[string]uint64{"n0": 2, "n1": 1}
	s := newFixture(t, 0, contests(4, group(2)), live, held(2, 2))
	s.elector = NewElector("n0", 2, time.Minute)
	s.Settling = true
	s.at(0).want().wantClaims(0)
	// The other node has taken over the addresses without a holder.
	other := newFixture(t, 1, contests(4, weighted(map[string]int{"n1": 0})), live, held(2, 2)).at(0).at(unverifiedClaimTimeout).want(0, 1, 2, 3)
	s.Claims, s.Settling = other.Claims, false
	s.at(sec).want().wantClaims(0)
}

func TestElector_AddressesOfARestartedNodeAreUnheld(t *testing.T) {
	for node := range 2 {
		s := newFixture(t, node, contests(6, group(2)), alive(2), held(6)).at(0)
		if node == 0 {
			s.elector = NewElector("n0", 2, time.Minute)
		}
		s.Live = map[string]uint64{"n0": 2, "n1": 1}
		s.at(sec).wantClaims(3)
	}
}

func TestElector_SettlingNodeKeepsAndClaimsNothing(t *testing.T) {
	s := newFixture(t, 0, contests(4, group(1)), alive(1), held(2)).at(0).want(0, 1).at(newAddressDelay).want(0, 1, 2, 3)
	s.contests = contests(6, group(1))
	s.Settling = true
	s.at(10*sec).want(0, 1, 2, 3).wantClaims(0)
	s.Settling = false
	s.at(20 * sec).wantClaims(0).wantWait(newAddressDelay) // The time until then does not count.
	s.at(20*sec + newAddressDelay).wantClaims(2)
}

func TestElector_WaitsBeginWhenANodeHasSettled(t *testing.T) {
	for node := range 3 {
		s := newFixture(t, node, contests(9, group(3)), alive(3), Claims{})
		s.Settling = true
		s.at(0).at(5 * sec)
		s.Settling = false
		s.at(5 * sec).wantClaims(0)
		s.at(5*sec + newAddressDelay).wantClaims(3) // And not all nine.
	}
}

func TestElector_NewAddressesWaitUntilNoMoreCome(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(1)), alive(1), Claims{})
	s.at(0).wantClaims(0).wantWait(newAddressDelay)
	s.contests = contests(2, group(1))
	s.at(90 * ms).wantClaims(0).wantWait(newAddressDelay)
	s.at(120 * ms).wantClaims(0).wantWait(70 * ms)
	s.at(190*ms).wantClaims(2).want(0, 1).wantWait(0)
}

func TestElector_NewAddressesWaitHalfASecondAtMost(t *testing.T) {
	s := newFixture(t, 0, nil, alive(1), Claims{})
	for i := range 10 {
		s.contests = contests(i+1, group(1))
		s.at(time.Duration(i) * 50 * ms).wantClaims(0)
	}
	s.contests = contests(11, group(1))
	s.at(maxNewAddressDelay).wantClaims(11)
}

func TestElector_HeirsTakeOverAtOnceFromADeadHolder(t *testing.T) {
	total := 0
	for node := range 3 {
		s := newFixture(t, node, contests(12, group(4)), alive(4), held(3, 3, 3, 3)).at(0).wantClaims(0)
		s.Live = alive(3)
		total += len(s.at(sec).wantClaims(1).last.Claims)
	}
	if total != 3 {
		t.Fatalf("%d of 3 addresses were taken over", total)
	}
}

func TestElector_LiveNodesMayBeChangedInPlace(t *testing.T) {
	s := newFixture(t, 0, contests(4, group(2)), alive(2), held(2, 2)).at(0).want(0, 1)
	delete(s.Live, "n1")
	s.at(sec).want(0, 1, 2, 3)
}

func TestElector_NextCandidateClaimsWhenTheHeirDoesNot(t *testing.T) {
	first := map[time.Duration]int{}
	for node := range 4 {
		s := newFixture(t, node, contests(1, group(5)), alive(5), Claims{addr(0): {Addr: addr(0), Node: "n4", Incarnation: 1, Term: 1, Announced: true}}).at(0)
		s.Live = alive(4)
		for at := sec; at < 5*sec; at += 50 * ms {
			if s.at(at); len(s.last.Claims) > 0 {
				first[at-sec]++
				break
			}
		}
	}
	if len(first) != 4 {
		t.Errorf("not all of 4 nodes have claimed, or two at once: %v", first)
	}
	for at, count := range first {
		if count > 1 {
			t.Errorf("%d nodes claim after %s", count, at)
		}
		if at > 0 && at < heirTimeout || at > heirTimeout+3*nextHeirDelay {
			t.Errorf("a node claims after %s", at)
		}
	}
	if first[0] != 1 {
		t.Errorf("%d heirs", first[0])
	}
}

func TestElector_LeavingNodeAnswersUntilItsSuccessorDoes(t *testing.T) {
	without := weighted(map[string]int{"n1": 0})
	s := newFixture(t, 0, contests(2, group(2)), alive(2), held(2)).at(0).want(0, 1)
	s.contests = contests(2, without)
	s.at(sec).want(0, 1).wantClaims(0)
	s.at(sec+100*ms).want(0, 1)
	other := newFixture(t, 1, contests(2, group(2)), alive(2), held(2)).at(0).want()
	other.contests = s.contests
	other.at(sec).want(0, 1).wantClaims(2)
	s.Claims.Learn(other.last.Claims[0])
	s.at(sec + 200*ms).want(1)
	s.Claims.Learn(other.last.Claims[1])
	s.at(sec + 300*ms).want().wantWait(0)
}

func TestElector_LeavingNodeAnswersTwoSecondsAtMost(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0)
	s.contests = contests(1, weighted(map[string]int{"n1": 0}))
	s.at(sec).want(0).wantWait(successorTimeout)
	s.at(2900 * ms).want(0).wantWait(100 * ms)
	s.at(3 * sec).want()
	s.contests = contests(1, group(2))
	s.at(4 * sec).want(0).wantClaims(0) // It may hold it again, and nobody has claimed it.
}

func TestElector_LeavingNodeWithoutInterfaceStopsAtOnce(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0)
	s.contests = []Contest{{Addr: addr(0), Group: weighted(map[string]int{"n1": 0})}}
	s.at(sec).want()
}

func TestElector_LeavingNodeMayReturnBeforeItIsReplaced(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0)
	s.contests = contests(1, weighted(map[string]int{"n1": 0}))
	s.at(sec).want(0)
	s.contests = contests(1, group(2))
	s.at(sec + 500*ms).want(0).wantClaims(0)
	s.at(10 * sec).want(0).wantClaims(0)
}

func TestElector_UnverifiedClaimIsRespectedForAMoment(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(1)), alive(2), held(1)).at(0).want(0)
	s.Claims.Learn(Claim{Addr: addr(0), Node: "n1", Incarnation: 1, Term: 2, Announced: true})
	s.at(sec).want().wantClaims(0).wantWait(unverifiedClaimTimeout)
	s.contests = contests(1, group(2))
	s.at(sec + 100*ms).want().wantClaims(0).wantWait(0)

	s = newFixture(t, 0, contests(1, group(1)), alive(2), held(1)).at(0).want(0)
	s.Claims.Learn(Claim{Addr: addr(0), Node: "n1", Incarnation: 1, Term: 2, Announced: true})
	s.at(sec).want()
	s.at(sec + unverifiedClaimTimeout).want(0).wantClaims(1) // It is no candidate.
}

func TestElector_ClaimOfADeadNodeDoesNotStopTheHolder(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(1), held(1)).at(0).want(0)
	s.Claims.Learn(Claim{Addr: addr(0), Node: "n1", Incarnation: 1, Term: 2, Announced: true})
	s.at(sec).want(0).wantClaims(0)
	s.at(sec + unverifiedClaimTimeout).want(0).wantClaims(1)
}

func TestElector_NodeThatIsNoLiveCandidateDoesNothing(t *testing.T) {
	newFixture(t, 7, contests(3, group(3)), alive(3), held(1)).at(0).want().at(time.Hour).want().wantClaims(0).wantWait(0)
	newFixture(t, 1, contests(3, group(1)), alive(2), held(1)).at(0).want().at(time.Hour).want().wantClaims(0).wantWait(0)
	newFixture(t, 1, contests(3, group(1)), map[string]uint64{"n1": 1}, held(1)).at(0).want().at(time.Hour).want().wantWait(0)
	newFixture(t, 1, contests(3, NewGroup(nil)), alive(2), held(1)).at(0).want().at(time.Hour).want().wantWait(0)
	newFixture(t, 1, nil, nil, nil).at(0).want().wantWait(0)
}
