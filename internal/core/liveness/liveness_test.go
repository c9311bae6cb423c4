package liveness

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func everybody(string) bool { return true }

func TestObserves_FirstThreeOfThoseThatCan(t *testing.T) {
	alive := []string{"n1", "n2", "n3", "n4", "n5"}
	for _, test := range []struct {
		name  string
		alive []string
		able  func(string) bool
		want  []string
	}{
		{"the first three", alive, everybody, []string{"n1", "n2", "n3"}},
		{"who cannot is passed over", alive, func(node string) bool { return node != "n2" }, []string{"n1", "n2", "n3", "n4"}},
		{"one that is gone has a successor", []string{"n2", "n3", "n4", "n5"}, everybody, []string{"n1", "n2", "n3", "n4"}},
		{"who is on its own observes", nil, everybody, alive},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, node := range alive {
				if new(Monitor).Is(time.Now(), node, test.alive, test.able) {
					got = append(got, node)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%v observe, want %v", got, test.want)
			}
		})
	}
}

func TestAbsence_CountsAfterTheGrace(t *testing.T) {
	var a Absence
	start := time.Unix(1_000_000, 0)
	expected := []string{"n3", "n2", "n1"}
	for _, step := range []struct {
		after time.Duration
		alive []string
		want  []string
	}{
		{0, []string{"n2"}, nil},
		{Grace - 1, []string{"n2"}, nil},
		{Grace, []string{"n2"}, []string{"n1", "n3"}},
		{Grace + 1, []string{"n1", "n2"}, []string{"n3"}},
		{2 * Grace, []string{"n2"}, []string{"n3"}}, // n1 was back
		{3 * Grace, []string{"n2"}, []string{"n1", "n3"}},
	} {
		if got := a.Missing(start.Add(step.after), expected, step.alive); !slices.Equal(got, step.want) {
			t.Errorf("after %s %v are missing, want %v", step.after, got, step.want)
		}
	}
}

// scene is a Judge that looks at Leases every four seconds.
type scene struct {
	*testing.T
	judge Judge
	now   time.Time
	// renewals of each node, and whom it misses; a node that is dead renews no more.
	renewals map[string]int
	missing  map[string][]string
	dead     map[string]bool
}

func newScene(t *testing.T, nodes ...string) *scene {
	s := &scene{T: t, now: time.Unix(1_000_000, 0), renewals: map[string]int{}, missing: map[string][]string{}, dead: map[string]bool{}}
	for _, node := range nodes {
		s.renewals[node] = 1
	}
	return s
}

// look renews what is renewed in four seconds, and returns who is gone of n1 to n9.
func (s *scene) look() []string {
	s.now = s.now.Add(4 * time.Second)
	var leases []Lease
	for node := range s.renewals {
		if !s.dead[node] {
			s.renewals[node]++
		}
		leases = append(leases, Lease{node, fmt.Sprint(s.renewals[node]), Duration, s.missing[node]})
	}
	verdict := s.judge.Look(s.now, leases)
	var gone []string
	for i := range 9 {
		if node := fmt.Sprintf("n%d", i+1); verdict.Gone(node) {
			gone = append(gone, node)
		}
	}
	return gone
}

func (s *scene) want(after string, want ...string) {
	s.Helper()
	if got := s.look(); !slices.Equal(got, want) {
		s.Errorf("%s %v are gone, want %v", after, got, want)
	}
}

func TestJudge_GoneIsWhomAllMonitorsMiss(t *testing.T) {
	s := newScene(t, "n1", "n2", "n3")
	s.want("at first")
	s.missing["n1"], s.missing["n2"] = []string{"n7", "n7"}, []string{"n7", "n8"}
	s.want("while n3 hears it")
	s.missing["n3"] = []string{"n7"}
	s.want("when all miss n7", "n7")
	s.missing["n2"] = nil
	s.want("when n2 hears it again")
}

func TestJudge_MonitorIsNotGone(t *testing.T) {
	s := newScene(t, "n1", "n2", "n9")
	// n9 is cut off by the gossip alone, and renews its Lease: it is on its own, and misses all others.
	s.missing["n1"], s.missing["n2"], s.missing["n9"] = []string{"n9"}, []string{"n9"}, []string{"n1", "n2", "n7"}
	s.want("while n9 renews its Lease")
	s.dead["n9"] = true
	for range 3 {
		s.want("as long as its Lease is good")
	}
	s.want("after that", "n9")
}

func TestJudge_AllAreGoneWhenNoLeaseIsRenewed(t *testing.T) {
	s := newScene(t, "n1", "n2")
	s.want("at first")
	s.dead["n1"], s.dead["n2"] = true, true
	for range 3 {
		s.want("as long as a Lease is good")
	}
	began := s.now.Add(-3 * 4 * time.Second)
	s.want("after that", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9")
	if took := s.now.Sub(began); took > 25*time.Second {
		t.Errorf("it took %s", took)
	}
	s.dead["n2"] = false
	s.want("when one is back")
}

func TestJudge_KnowsNothingWithoutLeases(t *testing.T) {
	s := newScene(t)
	for range 10 {
		s.want("of speakers of an earlier version")
	}
}

// An API server that was away lets nobody renew, and nobody look.
func TestJudge_BeginsAnewAfterAPause(t *testing.T) {
	s := newScene(t, "n1", "n2")
	s.want("at first")
	s.now = s.now.Add(10 * time.Minute)
	s.dead["n1"], s.dead["n2"] = true, true // They are slower than the controller.
	for range 3 {
		s.want("after the pause")
	}
	s.dead["n1"], s.dead["n2"] = false, false
	for range 10 {
		s.want("when they renew again")
	}
}

func TestJudge_SignOfLifeCounts(t *testing.T) {
	s := newScene(t, "n1")
	s.missing["n1"] = []string{"n7"}
	s.want("when it is missed", "n7")
	s.judge.Heard(s.now, "n7")
	for range 3 {
		s.want("after a sign of life")
	}
	s.want("some time after it", "n7")
}
