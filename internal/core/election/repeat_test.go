package election

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"
)

// quiet is a node of two that hold an address each, and has decided the same twice.
func quiet(t *testing.T) *fixture {
	t.Helper()
	s := newFixture(t, 0, contests(2, group(2)), alive(2), held(1, 1))
	s.ClaimsVersion, s.Answered = 1, []netip.Addr{addr(0)}
	s.at(0).at(time.Second).want(0)
	return s
}

func TestElector_DecidesTheSameWithoutWorkWhileNothingChanges(t *testing.T) {
	s := quiet(t)
	before := s.elector.rounds
	for i := range 5 {
		s.contests, s.Answered = slices.Clone(s.contests), slices.Clone(s.Answered)
		if last := s.last; !reflect.DeepEqual(s.at(time.Duration(2+i)*time.Second).last, last) {
			t.Fatalf("%+v after %+v", s.last, last)
		}
	}
	if s.elector.rounds != before {
		t.Errorf("it has worked out %d more decisions", s.elector.rounds-before)
	}
}

func TestElector_DecidesAnewWhenSomethingHasChanged(t *testing.T) {
	for name, change := range map[string]func(*fixture){
		"the claims":                        func(s *fixture) { s.ClaimsVersion++ },
		"claims whose version is not known": func(s *fixture) { s.ClaimsVersion = 0 },
		"a contest": func(s *fixture) {
			s.contests = slices.Clone(s.contests)
			s.contests[1].HasInterface = !s.contests[1].HasInterface
		},
		"the number of contests": func(s *fixture) { s.contests = s.contests[:1] },
		"what is answered":       func(s *fixture) { s.Answered = nil },
		"what is left":           func(s *fixture) { s.Left = []netip.Addr{addr(0)} },
		"who is alive":           func(s *fixture) { s.Live = alive(1) },
		"an incarnation":         func(s *fixture) { s.Live = map[string]uint64{nodeName(0): 1, nodeName(1): 2} },
		"somebody is silent":     func(s *fixture) { s.Silent = map[string]uint64{"n9": 1} },
		"somebody is doubtful":   func(s *fixture) { s.Doubtful = []string{nodeName(1)} },
		"an answer":              func(s *fixture) { s.Answers = map[Question]Answer{{nodeName(1), addr(1)}: Answered} },
		"a rival":                func(s *fixture) { s.Rivals = []Rival{{Addr: addr(0), Node: "n9"}} },
		"it may not know all":    func(s *fixture) { s.Settling = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := quiet(t)
			before := s.elector.rounds
			if change(s); s.at(2*time.Second).elector.rounds == before {
				t.Error("the decision was not worked out")
			}
		})
	}
}

func TestElector_DecidesAnewWhenItIsTime(t *testing.T) {
	s := newFixture(t, 0, contests(4, group(2)), alive(2), held(0, 4)) // uneven, for a minute
	s.ClaimsVersion = 1
	s.at(0).at(time.Second).at(2 * time.Second)
	if want := 58 * time.Second; s.last.Wait != want || s.elector.rounds != 2 {
		t.Fatalf("it waits for %s after %d rounds, not for %s", s.last.Wait, s.elector.rounds, want)
	}
	if s.at(time.Minute); len(s.last.Claims) == 0 {
		t.Error("nothing was evened out")
	}
}

func TestElector_ForgetsAtRestWhatEndedLongAgo(t *testing.T) {
	s := quiet(t)
	before := s.elector.rounds
	s.elector.disputes = map[netip.Addr]dispute{addr(1): {nodeName(1), s.Now, sec}}
	s.elector.takenBack = map[string]takenBack{nodeName(1): {s.Now, time.Minute}}
	at := s.Now.Sub(epoch)
	s.at(at + disputeMemory - ms).at(at + disputeMemory)
	if disputes, back := len(s.elector.disputes), len(s.elector.takenBack); disputes != 0 || back != 1 {
		t.Errorf("it remembers %d disputes, and %d nodes that have something back", disputes, back)
	}
	if s.at(at + maxTakenBack*time.Minute); len(s.elector.takenBack) > 0 || s.elector.rounds != before {
		t.Errorf("after %d rounds more it remembers %v", s.elector.rounds-before, s.elector.takenBack)
	}
}
