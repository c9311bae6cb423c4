package election

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// silence takes a node from those that are alive.
func (s *fixture) silence(node string) *fixture {
	if s.Silent == nil {
		s.Silent = map[string]uint64{}
	}
	s.Silent[node] = s.Live[node]
	delete(s.Live, node)
	return s
}

// answer gives the same answer to all questions of the last decision.
func (s *fixture) answer(with Answer) *fixture {
	s.Answers = map[Question]Answer{}
	for _, q := range s.last.Ask {
		s.Answers[q] = with
	}
	return s
}

// wantAsked asserts about how many addresses a node is asked.
func (s *fixture) wantAsked(node string, count int) *fixture {
	s.t.Helper()
	asked := map[Question]bool{}
	for _, q := range s.last.Ask {
		asked[q] = true
		if q.Node != node {
			s.t.Fatalf("after %s %s is asked, not %s", s.Now.Sub(epoch), q.Node, node)
		}
	}
	if len(asked) != count {
		s.t.Fatalf("after %s %v are asked, not %d addresses", s.Now.Sub(epoch), s.last.Ask, count)
	}
	return s
}

func TestElector_SilentHolderThatAnswersKeepsItsAddresses(t *testing.T) {
	s := newFixture(t, 0, contests(4, group(2)), alive(2), held(2, 2)).at(0).wantAsked("n1", 0)
	s.silence("n1").at(sec).want(0, 1).wantClaims(0).wantAsked("n1", 2)
	s.answer(Answered).at(sec+ms).want(0, 1).wantClaims(0).wantAsked("n1", 2)
	if !slices.Equal(s.last.Silent, []Silence{{"n1", addr(2)}}) {
		t.Errorf("said to be silent: %v", s.last.Silent)
	}
	s.at(time.Hour).want(0, 1).wantAsked("n1", 2)
	s.answer(NoAnswer).at(time.Hour+ms).want(0, 1, 2, 3).wantClaims(2)
	if s.at(time.Hour+2*ms).wantAsked("n1", 0); len(s.last.Silent) > 0 {
		t.Errorf("said to be silent: %v", s.last.Silent)
	}
}

// What is known of a doubtful holder by the time of the verdict costs no time then.
func TestElector_HeirHasTheAnswerWithTheVerdict(t *testing.T) {
	for node := range 2 {
		s := newFixture(t, node, contests(30, group(3)), alive(3), held(10, 10, 10)).at(0)
		s.Doubtful = []string{"n2"}
		s.at(sec).wantClaims(0).wantAsked("n2", 5)
		s.answer(NoAnswer).silence("n2").at(sec + 100*ms).wantClaims(5)
	}
}

func TestElector_ForeseesTheHeirsOfADoubtfulNode(t *testing.T) {
	asked := map[Question]int{}
	for node := range 4 {
		s := newFixture(t, node, contests(20, group(5)), alive(5), held(4, 4, 4, 4, 4)).at(0)
		s.Doubtful = []string{"n4", "n9"}
		s.at(sec)
		foreseen := map[Question]int{}
		for _, q := range s.last.Ask {
			asked[q]++
			foreseen[q]++
		}
		s.answer(NoAnswer).silence("n4").at(2 * sec)
		if len(s.last.Claims) == 0 || len(s.last.Claims) != len(foreseen) {
			t.Errorf("n%d asks about %v and claims %v", node, foreseen, s.last.Claims)
		}
	}
	if len(asked) != 4 {
		t.Errorf("the four addresses are asked about as %v", asked)
	}
}

func TestElector_AsksOnlyASilentHolderThatAnnounced(t *testing.T) {
	for name, change := range map[string]func(s *fixture){
		"left": func(s *fixture) { delete(s.Live, "n1") },
		"restarted, silent since": func(s *fixture) {
			delete(s.Live, "n1")
			s.Silent = map[string]uint64{"n1": 2}
		},
		"restarted": func(s *fixture) { s.Live["n1"] = 2 },
		"never announced": func(s *fixture) {
			s.Claims = unannounced("n1", 0)
			s.silence("n1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t, 0, contests(1, group(2)), alive(2), held(0, 1))
			if name == "never announced" {
				s.Claims = unannounced("n1", 0)
			}
			s.at(0)
			change(s)
			s.Claims = maps.Clone(s.Claims)
			if name == "restarted" {
				s.contests = contests(1, weighted(map[string]int{"n0": 1, "n1": 0}))
			}
			s.at(sec).want(0).wantClaims(1).wantAsked("n1", 0)
		})
	}
}

// One process answers for all addresses of a holder, so an answer for a few of them is enough. All have their turn, since a
// holder may have lost one of them.
func TestElector_AsksAboutAFewAddressesAtATime(t *testing.T) {
	const count = 3*maxAsked - 1
	s := newFixture(t, 0, contests(count, group(2)), alive(2), held(0, count)).at(0)
	s.silence("n1").at(sec).wantAsked("n1", maxAsked).wantClaims(0)
	s.answer(Answered).at(sec + ms).want().wantWait(askedFor - ms)
	seen := map[Question]bool{}
	for at := sec + ms; at < sec+3*askedFor; at += askedFor {
		s.at(at).wantAsked("n1", maxAsked).wantClaims(0)
		for _, q := range s.last.Ask {
			seen[q] = true
		}
		s.answer(Answered)
	}
	if len(seen) != count {
		t.Errorf("%d addresses have been asked about", len(seen))
	}
	lost := s.last.Ask[1]
	s.Answers[lost] = NoAnswer
	if s.at(sec + 3*askedFor - 1).want(number(lost.Addr)); len(s.last.Claims) != 1 {
		t.Errorf("claims %v", s.last.Claims)
	}
	s.at(sec + 3*askedFor - 1).answer(NoAnswer).at(sec + 3*askedFor - 1).wantClaims(count - 1)
}

func TestElector_AsksOnEachSegmentAndFamily(t *testing.T) {
	s := newFixture(t, 0, contests(2, group(2)), alive(2), held(0, 2)).at(0)
	s.contests[1].Segment = 1
	s.silence("n1").at(sec).wantAsked("n1", 2)
	s.Answers = map[Question]Answer{{"n1", addr(0)}: Answered, {"n1", addr(1)}: NoAnswer}
	s.at(sec + ms).want(1)
}

func TestElector_NextCandidateAsksAsWell(t *testing.T) {
	asks := 0
	for node := range 2 {
		s := newFixture(t, node, contests(1, group(3)), alive(3), held(0, 0, 1)).at(0).silence("n2").at(sec)
		for at := sec; at < 3*sec; at += 50 * ms {
			if len(s.last.Ask) > 0 {
				asks++
				break
			}
			s.at(at)
		}
		s.wantAsked("n2", 1).wantClaims(0).answer(Answered).at(time.Minute).wantClaims(0).answer(NoAnswer).at(time.Hour).wantClaims(1)
	}
	if asks != 2 {
		t.Errorf("%d candidates ask", asks)
	}
}
