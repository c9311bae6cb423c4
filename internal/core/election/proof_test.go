package election

import (
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// A server may know less than the holder, as one that has no API server. It is asked, and its clients go to others.
func TestProof_WhoDoesNotAnswerIsTakenOutOfTheTable(t *testing.T) {
	claims, table := sharedBy(3)
	s := newFixture(t, 0, sharedContest(3), alive(3), claims)
	s.at(0).wantClaims(0).wantWait(proofTimeout)
	s.serversAnswer("n1").Answers[Question{"n2", addr(0)}] = NoAnswer
	s.at(proofTimeout - 2*ms).wantClaims(0)
	s.at(proofTimeout - ms).wantClaims(0)
	if want := []Question{{"n2", addr(0)}}; !slices.Equal(s.last.Ask, want) {
		t.Errorf("asks %v", s.last.Ask)
	}
	s.at(proofTimeout).wantClaims(1)
	if claim := s.last.Claims[0]; claim.Revision != 2 || claim.Shares != shares.Divide(table, []string{"n0", "n1"}) {
		t.Fatalf("%+v", claim)
	}
	// It is given a part again a minute later, and then two minutes later.
	s.at(proofTimeout+ms).shares(30, true)
	for _, pause := range []time.Duration{minRefusal, 2 * minRefusal} {
		again := s.Now.Sub(epoch) - ms + pause
		s.at(again - ms).wantClaims(0)
		s.at(again).wantClaims(0) // All wait for as long as to even out.
		s.at(again + time.Minute).wantClaims(1)
		if !s.last.Claims[0].Shares.Has("n2") {
			t.Fatalf("after %s it makes %s", s.Now.Sub(epoch), s.last.Claims[0].Shares)
		}
		s.at(again + time.Minute + ms).wantClaims(0)
		s.at(again + time.Minute + ms + proofTimeout).wantClaims(1)
		if s.last.Claims[0].Shares.Has("n2") {
			t.Fatalf("after %s it makes %s", s.Now.Sub(epoch), s.last.Claims[0].Shares)
		}
		s.at(again + time.Minute + 2*ms + proofTimeout)
	}
}

// A speaker that is restarted before anybody has missed it does not know yet what it serves.
func TestProof_ARestartedServerIsAskedAgain(t *testing.T) {
	claims, _ := sharedBy(3)
	s := newFixture(t, 0, sharedContest(3), alive(3), claims)
	if s.at(0); len(s.last.Ask) != 2 {
		t.Fatalf("asks %v", s.last.Ask)
	}
	if s.serversAnswer("n1", "n2").at(ms); len(s.last.Ask) != 0 {
		t.Errorf("goes on to ask %v", s.last.Ask)
	}
	s.Live = map[string]uint64{"n0": 1, "n1": 1, "n2": 2}
	s.serversAnswer("n2") // The speaker before it did.
	if s.at(time.Second - ms).wantWait(ms); len(s.last.Ask) != 0 {
		t.Errorf("goes on to ask %v", s.last.Ask)
	}
	s.Answers = nil
	if want := []Question{{"n2", addr(0)}}; !slices.Equal(s.at(time.Second).last.Ask, want) {
		t.Errorf("asks %v", s.last.Ask)
	}
	s.Answers = map[Question]Answer{{"n2", addr(0)}: NoAnswer}
	s.at(time.Second + proofTimeout).wantClaims(1)
	s.Live = map[string]uint64{"n0": 1, "n1": 1, "n2": 3} // This one may know.
	s.at(time.Second + proofTimeout + ms).wantClaims(0)
	s.at(2*time.Minute + time.Second).wantClaims(1)
}

func TestProof_FewAreAskedAboutAtATime(t *testing.T) {
	s := allSharedBy(t, 2*maxProving)
	if s.at(0); len(s.last.Ask) != maxProving {
		t.Fatalf("asks %v", s.last.Ask)
	}
	s.Answers = map[Question]Answer{}
	for _, q := range s.last.Ask {
		s.Answers[q] = Answered
	}
	if s.at(ms); len(s.last.Ask) != maxProving || s.last.Ask[0].Addr != addr(maxProving) {
		t.Errorf("goes on to ask %v", s.last.Ask)
	}
}

// Interfaces that come and go make new segments, and the speakers stay.
func TestProof_WhatBelongsToASegmentThatIsGoneIsForgotten(t *testing.T) {
	claims, _ := sharedBy(3)
	s := newFixture(t, 0, sharedContest(3), alive(3), claims)
	for segment := range 5 {
		s.contests[0].Segment = segment
		s.Answers = nil
		from := time.Duration(segment) * sec
		s.at(from).at(from + ms)
		s.serversAnswer("n1").Answers[Question{"n2", addr(0)}] = NoAnswer
		s.at(from + 2*ms).at(from + ms + proofTimeout)
	}
	e := s.elector
	if _, here := e.heard[testimonyKey{"n1", 4, true}]; !here || len(e.heard) != 1 || len(e.mute) > 1 {
		t.Errorf("heard %v, mute %v", e.heard, e.mute)
	}
	s.contests = nil
	if s.at(time.Minute); len(e.heard)+len(e.mute) != 0 {
		t.Errorf("heard %v, mute %v", e.heard, e.mute)
	}
}

// A server may be asked for another reason before it is to be proven: only what it answers afterwards counts.
func TestProof_AnAnswerFromBeforeDoesNotCount(t *testing.T) {
	claims, _ := sharedBy(2)
	s := newFixture(t, 0, sharedContest(2), alive(2), claims).serversAnswer("n1")
	if s.at(0).wantWait(ms); len(s.last.Ask) != 0 {
		t.Errorf("asks %v", s.last.Ask)
	}
	if s.at(ms).wantWait(ms); len(s.last.Ask) != 1 {
		t.Errorf("asks %v", s.last.Ask)
	}
	if s.at(2 * ms).wantWait(0); len(s.last.Ask) != 0 {
		t.Errorf("goes on to ask %v", s.last.Ask)
	}
}

// Where conflicts are not detected nobody can be asked.
func TestProof_WhoCannotBeAskedKeepsItsPart(t *testing.T) {
	claims, _ := sharedBy(2)
	s := newFixture(t, 0, sharedContest(2), alive(2), claims)
	s.at(0)
	s.Answers = map[Question]Answer{{"n1", addr(0)}: Unasked}
	s.at(proofTimeout).wantClaims(0).wantWait(ms)
	if s.at(proofTimeout + ms).wantClaims(0).wantWait(0); len(s.last.Ask) != 0 {
		t.Errorf("goes on to ask %v", s.last.Ask)
	}
}

// A holder that takes an address over from nodes that are all gone has clients to tell. It shares the address when it has.
func TestServing_WhoTakesOverAloneSharesLater(t *testing.T) {
	claims, _ := sharedBy(1)
	list := contests(1, NewGroup([]Candidate{NewCandidate("n1", 0), NewCandidate("n2", 0)}))
	list[0].Shared = true
	var s *fixture
	for node := 1; s == nil || len(s.last.Claims) == 0; node++ {
		s = newFixture(t, node, list, alive(3), claims)
		s.elector.rebalanceAfter = time.Second
		s.at(0)
		s.at(unverifiedClaimTimeout)
	}
	for _, at := range []time.Duration{ms, time.Second, soleTime - ms} {
		if s.wantClaims(len(s.last.Claims)); s.last.Hold[0].Shares.Shared() || len(s.last.Claims) > 0 && s.last.Claims[0].Shares.Shared() {
			t.Fatalf("after %s it claims %v and goes by %s", s.Now.Sub(epoch), s.last.Claims, s.last.Hold[0].Shares)
		}
		s.at(unverifiedClaimTimeout + at).wantClaims(0)
	}
	s.at(unverifiedClaimTimeout + soleTime + ms).wantClaims(1)
	if !s.last.Claims[0].Shares.Balanced() || len(s.last.Claims[0].Shares.Servers()) != 2 {
		t.Errorf("%+v", s.last.Claims)
	}
}

// An address that has clients is shared bit by bit, and not for the first time since all speakers understand it for a moment.
func TestServing_AddressesWithClientsAreSharedInSteps(t *testing.T) {
	const addresses = 90
	s := newFixture(t, 0, contests(addresses, group(2)), alive(2), held(addresses/2, addresses/2))
	share := func(yes bool) {
		for i := range s.contests {
			s.contests[i].Shared = yes
		}
	}
	share(true)
	s.at(0).wantClaims(0)
	s.at(time.Minute - ms).wantClaims(0)
	share(false)
	s.at(time.Minute).wantClaims(0)
	share(true)
	s.at(time.Minute + ms).wantClaims(0)
	s.at(2 * time.Minute).wantClaims(0)
	s.at(2*time.Minute + ms).wantClaims(2)
	s.at(2*time.Minute + 2*ms).wantClaims(0)
	s.at(2*time.Minute + ms + divideInterval).wantClaims(2)
}

// Without it, a cluster whose nodes are restarted one after the other would end with one that serves all.
func TestServing_AJoinerGetsItsPartThoughAddressesStay(t *testing.T) {
	claims, _ := sharedBy(3)
	s := newFixture(t, 0, sharedContest(4), alive(4), claims).serversAnswer("n1", "n2")
	s.elector.rebalanceAfter = 0
	s.at(0).wantClaims(0)
	s.at(shareAfter - ms).wantClaims(0)
	s.at(shareAfter).wantClaims(1)
}

// Somebody may have sent the last revision that there is.
func TestServing_RevisionsDoNotRunOut(t *testing.T) {
	claims, _ := sharedBy(3)
	last := claims[addr(0)]
	last.Revision = 1<<64 - 1
	claims[addr(0)] = last
	s := newFixture(t, 0, sharedContest(3), alive(2), claims)
	s.at(0).wantClaims(1)
	if claim := s.last.Claims[0]; claim.Term != 2 || claim.Revision != 0 || !claim.Beats(last) {
		t.Errorf("%+v", claim)
	}
	s.at(ms).wantClaims(0)
}

// What has been found out on one segment does not tell about another one.
func TestProof_OnAnotherSegmentAllAreAskedAgain(t *testing.T) {
	claims, _ := sharedBy(2)
	s := newFixture(t, 0, sharedContest(2), alive(2), claims)
	s.at(0).serversAnswer("n1").at(ms)
	if s.at(2 * ms); len(s.last.Ask) != 0 {
		t.Fatalf("goes on to ask %v", s.last.Ask)
	}
	s.Answers, s.contests[0].Segment = nil, 1
	if s.at(3 * ms); len(s.last.Ask) != 1 {
		t.Errorf("asks %v", s.last.Ask)
	}
}

// There is nothing to do for an address until those that are refused may be servers again, and this is not forgotten.
func TestProof_NothingIsDoneWhileAServerIsRefused(t *testing.T) {
	claims, _ := sharedBy(3)
	s := newFixture(t, 0, sharedContest(3), alive(3), claims)
	s.at(0).serversAnswer("n1").Answers[Question{"n2", addr(0)}] = NoAnswer
	s.at(ms).at(proofTimeout).wantClaims(1)
	s.at(proofTimeout + ms).at(2 * time.Second)
	if state := s.elector.served[addr(0)]; state.settled == (basis{}) || !state.due.Equal(epoch.Add(proofTimeout+minRefusal)) {
		t.Fatalf("it is settled for %+v until %s", state.settled, state.due)
	}
	s.at(3 * time.Second).wantWait(proofTimeout + minRefusal - 3*time.Second)
	s.at(proofTimeout + minRefusal).wantClaims(0).wantWait(time.Minute)
}

// Whether a silent node answers for another address may stay open for long.
func TestServing_FirstTablesDoNotWaitForOtherAddresses(t *testing.T) {
	list, claims := contests(2, group(3)), held(1, 0, 1)
	list[0].Shared = true
	s := newFixture(t, 0, list, alive(2), claims)
	s.Silent = map[string]uint64{"n2": 1}
	s.Answers = map[Question]Answer{{"n2", addr(1)}: Answered}
	s.at(0).wantClaims(0)
	s.at(time.Minute).wantClaims(1)
	if claim := s.last.Claims[0]; claim.Addr != addr(0) || !claim.Shares.Shared() {
		t.Errorf("%+v", claim)
	}
}

// allSharedBy is so many addresses of n0, shared with n1, who has not answered for any yet.
func allSharedBy(t *testing.T, count int) *fixture {
	_, table := sharedBy(2)
	list, claims := contests(count, group(2)), held(count)
	for i := range list {
		list[i].Shared = true
		claim := claims[list[i].Addr]
		claim.Shares, claim.Revision = table, 1
		claims[list[i].Addr] = claim
	}
	return newFixture(t, 0, list, alive(2), claims)
}

// Who has answered nothing is not asked about all its addresses, a few at a time: its clients would wait for that.
func TestProof_WhoAnswersNothingIsRefusedForAll(t *testing.T) {
	const count = 5 * maxProving
	s := allSharedBy(t, count).at(0)
	s.Answers = map[Question]Answer{}
	for _, q := range s.last.Ask {
		s.Answers[q] = NoAnswer
	}
	s.at(proofTimeout).wantClaims(maxProving)
	s.at(proofTimeout + ms)
	if len(s.last.Claims) != count-maxProving || len(s.last.Ask) != 0 {
		t.Errorf("makes %d tables, and asks %v", len(s.last.Claims), s.last.Ask)
	}
}

// One address that a server does not know yet says nothing about those that it does.
func TestProof_WhoAnswersSomethingIsAskedAboutTheRest(t *testing.T) {
	s := allSharedBy(t, 2*maxProving).at(0)
	s.Answers = map[Question]Answer{}
	for i, q := range s.last.Ask {
		if s.Answers[q] = Answered; i == 0 {
			s.Answers[q] = NoAnswer
		}
	}
	s.at(proofTimeout).wantClaims(1)
	if s.at(proofTimeout + ms); len(s.last.Claims) != 0 || len(s.last.Ask) == 0 {
		t.Errorf("makes %d tables, and asks %v", len(s.last.Claims), s.last.Ask)
	}
}

// A table may be later than what a server has heard that the gossip is cut off from. It goes on to answer for other addresses.
func TestProof_ASilentServerIsAskedAboutEachTable(t *testing.T) {
	s := allSharedBy(t, 2)
	s.at(0)
	delete(s.Live, "n1")
	s.Silent = map[string]uint64{"n1": 1}
	s.Answers = map[Question]Answer{{"n1", addr(0)}: Answered, {"n1", addr(1)}: NoAnswer}
	s.at(ms).wantClaims(0)
	s.at(proofTimeout).wantClaims(1)
	if claim := s.last.Claims[0]; claim.Addr != addr(1) || claim.Shares.Has("n1") {
		t.Errorf("makes the table %s for %d", claim.Shares, number(claim.Addr))
	}
}

// takesFromLive is n1 when it has just taken one of three shared addresses from n0, to even out, and what it may ask n0 about it.
func takesFromLive(t *testing.T) (*fixture, Question) {
	list, claims := contests(3, group(2)), held(3)
	_, table := sharedBy(2)
	for i := range list {
		list[i].Shared = true
		claim := claims[addr(i)]
		claim.Shares, claim.Revision = table, 1
		claims[addr(i)] = claim
	}
	s := newFixture(t, 1, list, alive(2), claims).at(0).at(time.Minute).wantClaims(1)
	return s, Question{"n0", s.last.Claims[0].Addr}
}

// The one that an address was taken from may not hear of it. It answers until it hears the taker announce it, and then serves no more perhaps.
func TestProof_ServersOfWhatWasTakenAreAskedOnceMore(t *testing.T) {
	s, taken := takesFromLive(t)
	later := time.Minute + ms + takerTimeout
	s.at(time.Minute + ms)
	s.Answers = map[Question]Answer{taken: Answered}
	s.contests = s.contests[number(taken.Addr) : number(taken.Addr)+1] // Nothing else wakes it.
	if s.at(time.Minute + 2*ms).wantWait(takerTimeout - 2*ms); slices.Contains(s.last.Ask, taken) {
		t.Fatalf("it asks %v", s.last.Ask)
	}
	s.Answers = nil
	s.at(time.Minute + 3*ms).wantWait(takerTimeout - 3*ms)
	if s.at(later); !slices.Contains(s.last.Ask, taken) {
		t.Fatalf("it asks %v", s.last.Ask)
	}
	s.Answers = map[Question]Answer{taken: NoAnswer}
	if s.at(later + proofTimeout).wantClaims(1); s.last.Claims[0].Shares.Has("n0") {
		t.Errorf("it makes the table %s", s.last.Claims[0].Shares)
	}
}

// A server that nobody hears took the address to even out, and gave it back by a claim without a table that this node has not heard. While it was a
// rival it was asked whether it goes on.
func TestProof_AServerThatHasStoppedIsAskedAnew(t *testing.T) {
	s := allSharedBy(t, 2)
	first, second := Question{"n1", addr(0)}, Question{"n1", addr(1)}
	s.at(0)
	s.Answers = map[Question]Answer{first: Answered, second: Answered}
	s.at(ms)
	delete(s.Live, "n1")
	s.Silent = map[string]uint64{"n1": 1}
	s.rivalAt("n1", 1, 0, sec).at(sec).wantClaims(0)
	s.Answers[second] = NoAnswer // It still serves the first, which is what it is asked about as a node that is silent.
	s.at(sec + ms).wantClaims(0).at(sec + ms + proofTimeout).wantClaims(1)
	if claim := s.last.Claims[0]; claim.Addr != addr(1) || claim.Shares.Has("n1") {
		t.Errorf("makes the table %s for %d", claim.Shares, number(claim.Addr))
	}
}

// A speaker that nobody hears starts again, and takes back by a claim of its last run what others have taken over meanwhile. They gave it back
// without its table, and serve by that as long as they have not heard so.
func TestProof_ServersOfWhatWasInheritedAreAskedOnceMore(t *testing.T) {
	claims, _ := sharedBy(2)
	s := newFixture(t, 0, sharedContest(2), alive(2), claims)
	s.elector = NewElector("n0", 2, time.Minute)
	s.Live["n0"] = 2
	q := Question{"n1", addr(0)}
	s.at(0).want(0).wantClaims(1).at(ms).serversAnswer("n1").at(2 * ms)
	if s.Answers = nil; slices.Contains(s.at(3*ms).last.Ask, q) {
		t.Fatalf("it asks %v", s.last.Ask)
	}
	s.wantWait(takerTimeout - 3*ms).at(takerTimeout)
	s.Answers = map[Question]Answer{q: NoAnswer}
	s.at(takerTimeout+proofTimeout).wantClaims(1).at(takerTimeout+proofTimeout+ms).shares(60, true)
}

// It took an address over without anybody else who serves it, and nothing else wakes it.
func TestProof_WhatWasTakenWithoutAnotherServerSettles(t *testing.T) {
	claims, _ := sharedBy(1)
	s := newFixture(t, 0, sharedContest(1), alive(1), claims)
	s.elector, s.ClaimsVersion = NewElector("n0", 2, time.Minute), 1
	s.Live["n0"] = 2
	s.at(0).wantClaims(1)
	at := time.Duration(0)
	for range 10 {
		if s.last.Wait == 0 {
			break
		}
		at += s.last.Wait
		s.ClaimsVersion += uint64(len(s.last.Claims))
		s.at(at)
	}
	if s.at(at + ms).at(at + 2*ms); !s.elector.kept.repeatable {
		t.Errorf("after %s it still works out each decision: %+v", at, s.elector.served)
	}
}

// With conflictDetection: Off nobody can be asked, however often.
func TestProof_WhoCannotBeAskedAboutWhatWasTakenIsNotAskedForEver(t *testing.T) {
	s, taken := takesFromLive(t)
	s.Answers = map[Question]Answer{taken: Unasked}
	for _, at := range []time.Duration{ms, ms + proofTimeout, takerTimeout, takerTimeout + 2*ms, takerTimeout + 2*ms + proofTimeout} {
		s.at(time.Minute + at)
	}
	if s.at(time.Minute + takerTimeout + 3*ms + proofTimeout); slices.Contains(s.last.Ask, taken) {
		t.Errorf("it asks %v", s.last.Ask)
	}
}
