package election

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// rivalAt says that a node is heard to use an address of ours, from a time to another one.
func (s *fixture) rivalAt(node string, address int, since, last time.Duration) *fixture {
	s.Rivals = []Rival{{Addr: addr(address), Node: node, Since: epoch.Add(since), Last: epoch.Add(last)}}
	return s
}

// wantDefended asserts the addresses that the last decision announces once more.
func (s *fixture) wantDefended(addresses ...int) *fixture {
	s.t.Helper()
	var want []netip.Addr
	for _, i := range addresses {
		want = append(want, addr(i))
	}
	if !slices.Equal(s.last.Defend, want) {
		s.t.Fatalf("after %s %s defends %v, not %v", s.Now.Sub(epoch), s.elector.node, s.last.Defend, want)
	}
	return s
}

// Both sides hold an address. Neither hears the other in the gossip, and both hear each other on the segment.
func TestElector_OneOfTwoSidesYields(t *testing.T) {
	for i := range 50 {
		var holds, defends int
		for node := range 2 {
			rival := nodeName(1 - node)
			claims := Claims{addr(i): {Addr: addr(i), Node: nodeName(node), Incarnation: 1, Term: uint64(3 + 2*node), Announced: true}}
			all := []Contest{{Addr: addr(i), Group: group(2), HasInterface: true}}
			s := newFixture(t, node, all, alive(2), claims).at(0).want(i).silence(rival).rivalAt(rival, i, 0, 0)
			s.at(ms).want(i).wantAsked(rival, 1)
			s.answer(Answered).at(2 * ms)
			if holds += len(s.last.Hold); len(s.last.Hold) == 0 {
				if got := s.Claims[addr(i)]; got != (Claim{Addr: addr(i), Node: rival, Incarnation: 1, Term: uint64(4 + 2*node), Announced: true}) {
					t.Fatalf("it yields by %v", got)
				}
				s.Rivals = nil
				s.at(3 * ms).want().at(time.Minute).want() // The answer still stands.
				s.answer(NoAnswer).at(2 * time.Minute).want(i)
			}
			defends += len(s.last.Defend)
		}
		if holds != 1 || defends != 1 {
			t.Fatalf("%d hold %d, and %d defend it", holds, i, defends)
		}
	}
}

// A rival that pauses for a moment is no news when it is heard again.
func TestElector_RivalThatBeginsAgainIsDefendedAgainst(t *testing.T) {
	i := 0
	for !(Claim{Addr: addr(i), Node: "n0"}).Beats(Claim{Addr: addr(i), Node: "n1"}) {
		i++
	}
	all := []Contest{{Addr: addr(i), Group: group(2), HasInterface: true}}
	s := newFixture(t, 0, all, alive(2), Claims{addr(i): {Addr: addr(i), Node: "n0", Incarnation: 1, Term: 1, Announced: true}}).at(0).silence("n1").rivalAt("n1", i, 0, 0)
	s.at(ms).answer(Answered).at(2 * ms).wantDefended(i).wantWait(rivalFresh)
	s.rivalAt("n1", i, 0, 90*ms).at(2*ms + rivalFresh).wantDefended(i).wantWait(rivalFresh)
	s.at(2*ms + 2*rivalFresh).wantDefended().wantWait(0)
}

func TestElector_RivalThatIsDeadByNowIsNone(t *testing.T) {
	for i := range 10 {
		all := []Contest{{Addr: addr(i), Group: group(2), HasInterface: true}}
		s := newFixture(t, 0, all, alive(2), Claims{addr(i): {Addr: addr(i), Node: "n0", Incarnation: 1, Term: 1, Announced: true}}).at(0).silence("n1").rivalAt("n1", i, 0, 0)
		s.at(ms).want(i).answer(NoAnswer).at(2 * ms).want(i).wantClaims(0)
	}
}

// It has announced the address, and does not answer for it: it receives nothing. Its clients are told again, once for each announcement.
func TestElector_SilentNodeThatAnnouncesAndDoesNotAnswerIsCorrected(t *testing.T) {
	for _, announced := range []time.Duration{0, ms} {
		s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0).silence("n1").rivalAt("n1", 0, 0, ms)
		if announced > 0 {
			s.Rivals[0].Held = epoch.Add(announced)
		}
		s.at(2*ms).want(0).wantDefended().wantAsked("n1", 1).answer(NoAnswer)
		if s.at(12 * ms).want(0).wantClaims(0); announced == 0 {
			s.wantDefended() // It has answered a question before its death.
			continue
		}
		s.wantDefended(0).wantWait(rivalFresh).at(13 * ms).wantDefended().wantWait(0)
		s.Rivals[0].Held = epoch.Add(14 * ms)
		s.at(15 * ms).wantDefended().wantWait(rivalFresh - 3*ms).at(12*ms + rivalFresh).wantDefended(0)
		s.at(2 * sec).wantDefended()
	}
}

// A live node that takes an address over announces it before its claim arrives.
func TestElector_ClaimsSettleItWithALiveRival(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0).rivalAt("n1", 0, 0, 0)
	s.at(ms).want(0).wantAsked("n1", 0)
	for at := claimTimeout; at < 5*sec; at += 100 * ms {
		s.rivalAt("n1", 0, 0, 0).at(at).want(0).wantClaims(0).wantAsked("n1", 1).answer(Answered)
	}
	if len(s.last.Defend) > 0 {
		t.Error("it is defended against a live node that was heard once")
	}
	s.Claims.Learn(Claim{Addr: addr(0), Node: "n1", Incarnation: 1, Term: 2, Announced: true})
	s.at(5 * sec).want()
}

// A speaker that leaves is not alive to itself, and answers until the claim of its heir arrives. The heir announces the address before.
func TestElector_ALeavingSpeakerAnswersUntilTheClaimOfItsHeirArrives(t *testing.T) {
	for i := range 20 {
		all := []Contest{{Addr: addr(i), Group: group(2), HasInterface: true}}
		s := newFixture(t, 0, all, alive(2), Claims{addr(i): {Addr: addr(i), Node: "n0", Incarnation: 1, Term: 1, Announced: true}}).at(0).want(i)
		delete(s.Live, "n0")
		for at := ms; at < 2*sec; at += 50 * ms {
			s.rivalAt("n1", i, 0, at)
			s.Rivals[0].HeldSince, s.Rivals[0].Held = epoch, epoch.Add(at)
			s.at(at).answer(Answered).want(i).wantClaims(0).wantDefended()
		}
		s.Claims.Learn(Claim{Addr: addr(i), Node: "n1", Incarnation: 1, Term: 2, Announced: true})
		s.at(2 * sec).want()
	}
}

// Another interface of this node is heard: one that it announced on until a moment ago, or that another program of the node answers on.
// To cede the address to itself, again and again, would leave it without an answer each time.
func TestElector_NodeIsNoRivalOfItself(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0)
	for at := ms; at < 5*sec; at += 100 * ms {
		s.rivalAt("n0", 0, 0, at).at(at).want(0).wantClaims(0).wantDefended().wantAsked("n0", 0)
	}
}

// A live rival that stopped, as when it gave the address back, and begins again within seconds is heard since then: the claims have their time
// once more, and then it is defended against, or the address is ceded.
func TestElector_RivalThatHadStoppedBeginsAnew(t *testing.T) {
	defended, ceded := 0, 0
	for i := range 10 {
		all := []Contest{{Addr: addr(i), Group: group(2), HasInterface: true}}
		s := newFixture(t, 0, all, alive(2), Claims{addr(i): {Addr: addr(i), Node: "n0", Incarnation: 1, Term: 1, Announced: true}})
		uses := func(from, until time.Duration) {
			for at := from; at <= until; at += 50 * ms {
				s.rivalAt("n1", i, 0, at)
				s.Rivals[0].HeldSince, s.Rivals[0].Held = epoch, epoch.Add(at)
				s.at(at).answer(Answered)
			}
		}
		uses(0, rivalTimeout-50*ms)
		s.at(sec).wantAsked("n1", 1).answer(NoAnswer).at(sec + ms)
		uses(2*sec, 2*sec+rivalTimeout-50*ms)
		if s.want(i).wantClaims(0).wantDefended(); beats("n0", s.Rivals[0]) {
			uses(2*sec+rivalTimeout, 2*sec+rivalTimeout+100*ms)
			s.want(i).wantDefended(i)
			defended++
			continue
		}
		uses(2*sec+rivalTimeout, 2*sec+rivalTimeout+100*ms)
		s.want()
		ceded++
	}
	if defended == 0 || ceded == 0 {
		t.Errorf("%d are defended, and %d ceded", defended, ceded)
	}
}

// What answers for the address by then may be another program on the node.
func TestElector_RivalThatHadStoppedAndOnlyAnswersIsCededNothing(t *testing.T) {
	for i := range 10 {
		all := []Contest{{Addr: addr(i), Group: group(2), HasInterface: true}}
		s := newFixture(t, 0, all, alive(2), Claims{addr(i): {Addr: addr(i), Node: "n0", Incarnation: 1, Term: 1, Announced: true}})
		s.rivalAt("n1", i, 0, 300*ms)
		s.Rivals[0].HeldSince, s.Rivals[0].Held = epoch, epoch.Add(300*ms)
		s.at(300 * ms).answer(Answered).at(301 * ms).answer(NoAnswer).at(sec)
		for at := 2 * sec; at < 5*sec; at += 50 * ms {
			s.Rivals[0].Last = epoch.Add(at)
			s.at(at).want(i).wantClaims(0).answer(Answered)
		}
	}
}

// The holder does not hear us, and so does not let go.
func TestElector_WhatIsNotLetGoIsGivenBack(t *testing.T) {
	s := newFixture(t, 1, contests(3, group(2)), alive(2), held(3)).at(0).at(time.Minute).wantClaims(1)
	taken := number(s.last.Claims[0].Addr)
	for _, at := range []time.Duration{100 * ms, 300 * ms, 400 * ms, 600 * ms} {
		s.want(taken).rivalAt("n0", taken, time.Minute, time.Minute+at).at(time.Minute + at)
		s.answer(Answered)
	}
	if s.want(); s.Claims[addr(taken)] != (Claim{Addr: addr(taken), Node: "n0", Incarnation: 1, Term: 3, Announced: true}) {
		t.Errorf("the claim is %v", s.Claims[addr(taken)])
	}
	s.Rivals = nil
	s.at(2 * time.Minute).wantClaims(0) // Not again at once.
}

// The node that an address was taken from answers for it until it knows. If the silent rival yields to that one, the taker
// must not yield to the rival.
func TestElector_TakerDoesNotYieldToWhomTheGiverBeats(t *testing.T) {
	cycles := 0
	for first := 0; first < 60; first += 3 {
		for _, giver := range []struct {
			answer  Answer
			after   time.Duration
			answers bool
		}{{Answered, ms, true}, {NoAnswer, ms, false}, {Answered, claimTimeout, false}} {
			s, taken := taker(t, first)
			heard, rival := time.Minute+ms+giver.after, Rival{Addr: taken, Node: "n2"}
			s.rivalAt("n2", number(taken), heard, heard).at(heard).answer(Answered)
			s.Answers[Question{"n0", taken}] = giver.answer
			s.at(heard + ms)
			want := beats("n1", rival) || giver.answers && beats("n0", rival)
			if got := slices.ContainsFunc(s.last.Hold, func(h Hold) bool { return h.Addr == taken }); got != want {
				t.Fatalf("%s, %+v: it goes on: %t, not %t", taken, giver, got, want)
			}
			if want && !beats("n1", rival) {
				cycles++
			}
		}
	}
	if cycles == 0 {
		t.Error("no address has a rival between giver and taker")
	}
}

// taker is n1, which has just taken one of three addresses from n0 to even out. n2 is silent.
func taker(t *testing.T, first int) (s *fixture, taken netip.Addr) {
	var all []Contest
	claims := Claims{}
	for i := first; i < first+3; i++ {
		all = append(all, Contest{Addr: addr(i), Group: group(3), HasInterface: true})
		claims.Learn(Claim{Addr: addr(i), Node: "n0", Incarnation: 1, Term: 1, Announced: true})
	}
	s = newFixture(t, 1, all, alive(3), claims).at(0).silence("n2").at(ms).at(time.Minute + ms).wantClaims(1)
	return s, s.last.Claims[0].Addr
}

// Neither hears the other's claims, but one of them takes the other for alive.
func TestElector_TheHashDecidesWhenTheClaimsDoNot(t *testing.T) {
	for i := range 20 {
		holds := 0
		for node, silent := range []bool{true, false} {
			rival := nodeName(1 - node)
			all := []Contest{{Addr: addr(i), Group: group(2), HasInterface: true}}
			s := newFixture(t, node, all, alive(2), Claims{addr(i): {Addr: addr(i), Node: nodeName(node), Incarnation: 1, Term: 5, Announced: true}}).at(0)
			if silent {
				s.silence(rival)
			}
			for _, at := range []time.Duration{ms, 300 * ms, 700 * ms, 701 * ms} {
				s.rivalAt(rival, i, 0, at)
				s.Rivals[0].HeldSince, s.Rivals[0].Held = epoch, epoch.Add(at)
				s.at(at).answer(Answered)
			}
			holds += len(s.last.Hold)
		}
		if holds != 1 {
			t.Fatalf("%d hold %d", holds, i)
		}
	}
}

// Another program on the node has the address. Its speaker is alive, and would not know what to do with it.
func TestElector_NothingIsCededToANodeThatMayNotHaveIt(t *testing.T) {
	i := 0
	for beats("n0", Rival{Addr: addr(i), Node: "n2"}) {
		i++
	}
	for name, test := range map[string]struct {
		candidates int
		announces  bool
	}{
		"it is no candidate":                {2, true},
		"it is none, and answers only":      {2, false},
		"it answers, and has not announced": {3, false},
	} {
		t.Run(name, func(t *testing.T) {
			all := []Contest{{Addr: addr(i), Group: group(test.candidates), HasInterface: true}}
			s := newFixture(t, 0, all, alive(3), Claims{addr(i): {Addr: addr(i), Node: "n0", Incarnation: 1, Term: 1, Announced: true}})
			defences := 0
			for at := time.Duration(0); at < 20*sec; at += 50 * ms {
				if s.rivalAt("n2", i, 0, at); test.announces {
					s.Rivals[0].HeldSince, s.Rivals[0].Held = epoch, epoch.Add(at)
				}
				s.at(at).want(i).wantClaims(0).answer(Answered)
				defences += len(s.last.Defend)
			}
			if defences == 0 {
				t.Error("it is not defended")
			}
		})
	}
}

func TestElector_AwaitedSuccessorMayBeSilent(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0).want(0).silence("n1")
	s.contests = contests(1, weighted(map[string]int{"n1": 0}))
	s.at(sec).want(0).rivalAt("n1", 0, sec, sec).at(sec + ms).want(0).answer(Answered).at(sec + 2*ms).want()
	if slices.ContainsFunc(s.last.Claims, func(c Claim) bool { return c.Node != "" }) {
		t.Errorf("claims %v", s.last.Claims)
	}
}
