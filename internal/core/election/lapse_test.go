package election

import (
	"testing"
	"time"
)

// vacate takes all candidates from the contests.
func (s *fixture) vacate() {
	for i := range s.contests {
		s.contests[i].Group = group(0)
	}
}

// fill gives the first so many nodes to all contests.
func (s *fixture) fill(nodes int) {
	for i := range s.contests {
		s.contests[i].Group = group(nodes)
	}
}

// wantFirst asserts that all addresses of the last decision are held as those that somebody else may use, or that none is. No holder has
// left them to a foreign host.
func (s *fixture) wantFirst(first bool) *fixture {
	s.t.Helper()
	for _, hold := range s.last.Hold {
		if hold.First != first || hold.Withheld {
			s.t.Fatalf("after %s %s holds %v, first should be %t", s.Now.Sub(epoch), s.elector.node, hold, first)
		}
	}
	return s
}

// awaitHold decides every 50 ms until something is held.
func (s *fixture) awaitHold(from time.Duration) *fixture {
	s.t.Helper()
	for at := from; at < from+2*sec; at += 50 * ms {
		if s.at(at); len(s.last.Hold) > 0 {
			return s
		}
	}
	s.t.Fatalf("%s holds nothing", s.elector.node)
	return s
}

func TestElector_HolderProbesAgainAfterNobodyCouldAnswerForLong(t *testing.T) {
	for name, returns := range map[string]struct {
		after time.Duration
		first bool
	}{
		"a moment":  {lapseAfter - ms, false},
		"long":      {lapseAfter, true},
		"very long": {time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0).want(0).wantFirst(false)
			s.Silent = map[string]uint64{"n7": 1} // so that nothing is told
			s.vacate()
			s.at(sec).want().wantClaims(0)
			s.fill(2)
			s.at(sec + returns.after).want(0).wantFirst(returns.first)
			if claim := s.Claims[addr(0)]; claim.Node != "n0" || claim.Announced == returns.first || claim.Term != 1+uint64(len(s.last.Claims)) {
				t.Errorf("the claim is %v", claim)
			}
			if s.at(sec + returns.after + 100*ms).want(0).wantClaims(0).wantFirst(returns.first); returns.first {
				s.Answered = append(s.Answered, addr(0))
				s.at(sec + returns.after + 200*ms).want(0).wantClaims(1).wantFirst(false)
			}
		})
	}
}

func TestElector_HolderTellsThatNobodyCouldAnswerForLong(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0).want(0)
	s.vacate()
	s.at(sec).wantClaims(0).wantWait(lapseAfter)
	s.at(sec + lapseAfter).want().wantClaims(1)
	if told := s.last.Claims[0]; told != (Claim{Addr: addr(0), Node: "n0", Incarnation: 1, Term: 2}) {
		t.Fatalf("claims %v", told)
	}
	s.at(2*sec + lapseAfter).wantClaims(0).wantWait(0)
	s.fill(2)
	s.at(time.Minute).want(0).wantClaims(0).wantFirst(true)
}

// In a cluster with a speaker of version 1 the mark comes back. That must not go on and on.
func TestElector_LapseIsToldOnce(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(1)), alive(1), held(1)).at(0).want(0)
	s.vacate()
	claims := 0
	for at := sec; at < time.Minute; at += sec {
		claims += len(s.at(at).last.Claims)
		claim := s.Claims[addr(0)]
		claim.Announced = true
		s.Claims.Learn(claim)
	}
	if claims != 1 {
		t.Errorf("it was told %d times", claims)
	}
}

func TestElector_LapseIsToldByOneNode(t *testing.T) {
	for name, test := range map[string]struct {
		node  int
		holds string
		tells bool
	}{
		"the holder":                  {1, "n1", true},
		"another one":                 {0, "n1", false},
		"the first without a holder":  {0, "n7", true},
		"the second without a holder": {1, "n7", false},
	} {
		t.Run(name, func(t *testing.T) {
			claims := Claims{addr(0): {Addr: addr(0), Node: test.holds, Incarnation: 1, Term: 4, Announced: true}}
			s := newFixture(t, test.node, contests(1, group(0)), alive(2), claims).at(0).at(lapseAfter)
			if tells := len(s.last.Claims) == 1; tells != test.tells {
				t.Fatalf("claims %v", s.last.Claims)
			}
			if test.tells && s.last.Claims[0].free() != (test.holds == "n7") {
				t.Errorf("claims %v", s.last.Claims)
			}
		})
	}
}

// Others who are silent may have candidates, and answer.
func TestElector_LapseIsNotToldWhileOthersAreSilent(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(2)), alive(2), held(1)).at(0).want(0)
	s.vacate()
	s.Silent = map[string]uint64{"n2": 1}
	s.at(sec).wantClaims(0).wantWait(0)
	s.at(time.Minute).wantClaims(0)
	s.Silent = nil
	s.at(time.Minute + sec).wantClaims(1)
}

func TestElector_HeirProbesAfterNobodyCouldAnswerForLong(t *testing.T) {
	for name, change := range map[string]func(*fixture){
		"the holder crashed":            func(s *fixture) { delete(s.Live, "n1"); s.Silent = map[string]uint64{"n1": 1}; s.fill(2) },
		"the holder restarted":          func(s *fixture) { s.Live["n1"] = 2; s.contests[0].Group = weighted(map[string]int{"n0": 0}) },
		"the holder is no candidate":    func(s *fixture) { s.contests[0].Group = weighted(map[string]int{"n0": 0}) },
		"the holder crashes afterwards": func(s *fixture) { s.fill(2); s.at(10 * sec); delete(s.Live, "n1") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t, 0, contests(1, group(2)), alive(3), held(0, 1)).at(0).want()
			s.vacate()
			s.at(sec).at(5 * sec)
			change(s)
			s.Answers = map[Question]Answer{{"n1", addr(0)}: NoAnswer}
			s.awaitHold(11 * sec).want(0).wantFirst(true)
			if claim := s.Claims[addr(0)]; claim.Node != "n0" || claim.Announced {
				t.Errorf("the claim is %v", claim)
			}
		})
	}
}

// The holder is one of an earlier version and goes on with its claim.
func TestElector_LapseIsForgottenWhenTheHolderAnswersAgain(t *testing.T) {
	for _, decided := range []time.Duration{6*sec + lapseAfter, 6 * sec} { // Nothing need happen while it answers.
		s := newFixture(t, 0, contests(1, group(2)), alive(2), held(0, 1)).at(0).want()
		s.vacate()
		s.at(sec).at(5 * sec)
		s.fill(2)
		s.at(6 * sec).at(decided)
		delete(s.Live, "n1")
		s.at(20 * sec).want(0).wantFirst(false)
	}
}

func TestElector_AddressThatIsAContestAgainIsProbed(t *testing.T) {
	claims := Claims{addr(0): {Addr: addr(0), Node: "n7", Incarnation: 1, Term: 4, Announced: true}}
	s := newFixture(t, 0, nil, alive(1), claims).at(0).want()
	s.contests = contests(1, group(1))
	s.awaitHold(sec).want(0).wantFirst(true)
}

// A speaker that has just started cannot tell how long the address has had no holder. Most likely it was just lost.
func TestElector_AddressThatIsKnownFromTheStartIsNotProbed(t *testing.T) {
	claims := Claims{addr(0): {Addr: addr(0), Node: "n7", Incarnation: 1, Term: 4, Announced: true}}
	s := newFixture(t, 0, contests(1, group(1)), alive(1), claims)
	s.Settling = true
	s.at(0).want()
	s.Settling = false
	s.awaitHold(sec).want(0).wantFirst(false)
}

func TestElector_AddressOfNobodyIsReleasedWhenItIsNoContestAnyMore(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(1)), alive(1), held(1)).at(0).want(0)
	s.vacate()
	s.at(sec).want()
	s.contests = nil
	s.at(2 * sec).wantClaims(1)
	if released := s.last.Claims[0]; !released.free() || released.Term != 2 || released.Announced {
		t.Errorf("claims %v", released)
	}
	s.at(3 * sec).wantClaims(0)
}

// An old claim of a higher term is heard while a stranger has the address.
func TestElector_OldClaimDoesNotBringTheMarkBack(t *testing.T) {
	s := newFixture(t, 0, contests(1, group(1)), alive(1), unannounced("n0", 0)).at(0).want(0).wantFirst(true)
	s.Claims.Learn(Claim{Addr: addr(0), Node: "n7", Incarnation: 1, Term: 9, Announced: true})
	s.at(sec).awaitHold(2 * sec).want(0).wantFirst(true)
}

// Pods return, and one node learns of it, claims and answers, while another one still says that nobody can.
func TestElector_WhoAnswersOutlastsOneThatSaysNobodyDoes(t *testing.T) {
	claims := Claims{addr(0): {Addr: addr(0), Node: "n0", Incarnation: 1, Term: 5, Announced: true}}
	for name, says := range map[string]Claim{
		"by a claim":   {Addr: addr(0), Node: "n1", Incarnation: 1, Term: 5},
		"by a release": {Addr: addr(0), Incarnation: 1, Term: 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t, 0, contests(1, weighted(map[string]int{"n0": 0})), alive(2), claims).at(0).want(0)
			s.Claims[addr(0)] = says
			s.at(10 * ms).want(0).wantFirst(false).wantClaims(1)
			if claim := s.last.Claims[0]; claim != (Claim{Addr: addr(0), Node: "n0", Incarnation: 1, Term: 6, Announced: true}) {
				t.Errorf("claims %v", claim)
			}
		})
	}
}

func TestElector_AddressWhoseMarkHasLapsedIsNotMovedToEvenOut(t *testing.T) {
	s := newFixture(t, 1, contests(4, group(2)), alive(2), held(4)).at(0)
	s.vacate()
	s.at(sec).at(5 * sec)
	s.fill(2)
	s.at(6 * sec)
	if s.elector.announced[0] {
		t.Error("it counts as announced")
	}
	if s.wantWait(lapseAfter).at(6*sec + lapseAfter); !s.elector.announced[0] {
		t.Error("it does not count as announced though the holder has gone on for long")
	}
}
