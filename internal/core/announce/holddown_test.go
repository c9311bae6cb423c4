package announce

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// holdScene is a session that BFD watches; times are in seconds.
type holdScene struct {
	*testing.T
	memory  HoldDowns
	session Session
	path    BFDPath
}

func at(second int) time.Time { return time.Unix(1000+int64(second), 0) }

func newHoldScene(t *testing.T) *holdScene {
	path := []Path{{Prefix: netip.MustParsePrefix("198.19.0.1/32")}}
	return &holdScene{T: t, session: Session{Name: "tor", BFD: &lb.BFDProfile{HoldDown: 30 * time.Second}, Paths: path}}
}

// pass checks whether the paths are held at a time, and for how long that pass wants to wait.
func (s *holdScene) pass(now int, held bool, wait int) {
	s.Helper()
	got, again := s.memory.Next(at(now), []Session{s.session}, map[string]BFDPath{"tor": s.path})
	if got[0].HeldDown != held || len(got[0].Paths) == 0 != held || held != (len(got[0].Warnings) > 0) || again != time.Duration(wait)*time.Second {
		s.Errorf("at %d, to ask again after %s, there is %+v", now, again, got[0])
	}
	if len(s.session.Paths) != 1 {
		s.Fatal("the session was changed")
	}
}

func TestHoldDowns_RoutesWaitUntilBFDHasBeenUpWithoutABreak(t *testing.T) {
	s := newHoldScene(t)
	s.path.Up = at(-100)
	s.pass(0, false, 0)
	s.path = BFDPath{Failed: at(1), Ended: at(1)}
	s.pass(1, true, 0)
	s.path.Up = at(11)
	s.pass(11, true, 30)
	s.path = BFDPath{Failed: at(21), Ended: at(1)} // BGP was not established for long.
	s.pass(21, true, 0)
	s.path.Up = at(31)
	s.pass(60, true, 1)
	s.pass(61, false, 0)
	s.path.Up, s.path.Failed = time.Time{}, at(70) // BGP had ended before.
	s.pass(70, false, 0)
	s.path.Ended = at(80)
	s.pass(80, true, 0)
}

func TestHoldDowns_OutlastAnOutageThatIsLonger(t *testing.T) {
	s := newHoldScene(t)
	s.path = BFDPath{Failed: at(0), Ended: at(0)}
	s.pass(120, true, 0)
	s.path.Established = at(121)
	s.pass(121, true, 30)
	s.path.Up = at(123)
	s.pass(152, true, 1)
	s.pass(153, false, 0)
}

func TestHoldDowns_OutlastCyclesThatAreLonger(t *testing.T) {
	s := newHoldScene(t)
	s.path = BFDPath{Failed: at(0), Ended: at(0)}
	for start := 40; start < 400; start += 50 {
		s.pass(start-1, true, 0)
		s.path.Established, s.path.Up = at(start), at(start)
		s.pass(start+3, true, 27)
		s.path = BFDPath{Failed: at(start + 4), Ended: at(0)} // BGP was not established for long.
		s.pass(start+4, true, 0)
	}
}

func TestHoldDowns_EndThoughBFDStaysDown(t *testing.T) {
	s := newHoldScene(t)
	s.path = BFDPath{Failed: at(0), Ended: at(0), Established: at(-100)} // BGP is about to end.
	s.pass(0, true, 30)
	s.path.Established = at(5)
	s.pass(34, true, 1)
	s.pass(35, false, 0)
	s.path.Up = at(40) // What is announced is not withdrawn because BFD comes up.
	s.pass(40, false, 0)
}

func TestHoldDowns_WhatIsNoFailureOfThePathBeginsNone(t *testing.T) {
	s := newHoldScene(t)
	s.path.Failed = at(0) // BGP was not established.
	s.pass(0, false, 0)
	s.path.Ended = at(10)
	s.session.BFD = &lb.BFDProfile{}
	s.pass(10, false, 0)
	s.session.BFD = nil
	s.pass(11, false, 0)
}

func TestHoldDowns_AnotherRouterStartsAfresh(t *testing.T) {
	s := newHoldScene(t)
	router := netip.MustParseAddr("192.0.2.1")
	s.path = BFDPath{Router: router, Failed: at(0), Ended: at(0)}
	s.session.Address = router
	s.pass(0, true, 0)
	s.session.Address = netip.Addr{} // Not known for now.
	s.pass(1, true, 0)
	s.session.Address = netip.MustParseAddr("192.0.2.2")
	s.pass(2, false, 0) // BFD still has the former one.
	s.path.Router = s.session.Address
	s.pass(3, false, 0)
	s.path.Failed, s.path.Ended = at(10), at(10)
	s.pass(10, true, 0)
}

// A BGPPeer gets another name, at once or by being deleted and made again. What BGP and BFD know of its session comes under the new name in
// the pass after.
func TestHoldDowns_FollowARouterToAnotherName(t *testing.T) {
	router := netip.MustParseAddr("192.0.2.1")
	for _, away := range []bool{false, true} {
		s := newHoldScene(t)
		s.session.Address = router
		s.path = BFDPath{Router: router, Failed: at(0), Ended: at(0), Up: at(1)}
		s.pass(1, true, 30)
		said, path := map[string]BFDPath{"tor": s.path}, s.path
		if away {
			s.memory.Next(at(2), nil, said)
			said, path = nil, BFDPath{Router: router, Up: at(1)}
		}
		renamed := s.session
		renamed.Name = "leaf"
		for now, held := range map[int]bool{3: true, 30: true, 31: false, 32: false} {
			memory := HoldDowns{holds: maps.Clone(s.memory.holds)}
			first, _ := memory.Next(at(2), []Session{renamed}, said)
			second, _ := memory.Next(at(now), []Session{renamed}, map[string]BFDPath{"leaf": path})
			if !first[0].HeldDown || second[0].HeldDown != held {
				t.Errorf("away: %t: it is held: %t, and at %d: %t", away, first[0].HeldDown, now, second[0].HeldDown)
			}
		}
	}
}

func TestHoldDowns_StayWithTheirRouter(t *testing.T) {
	router, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for _, row := range []struct {
		name     string
		sessions []Session
		held     []bool
	}{
		{"another router under a new name", []Session{{Name: "leaf", Address: other}}, []bool{false}},
		{"the same address in another VRF", []Session{{Name: "leaf", Address: router, VRF: "blue"}}, []bool{false}},
		{"one router under both names", []Session{{Name: "leaf", Address: router, Port: 1790}, {Name: "tor", Address: router}}, []bool{false, true}},
		{"the name before has another router", []Session{{Name: "leaf", Address: router}, {Name: "tor", Address: other}}, []bool{true, false}},
		{"the name before does not know its router", []Session{{Name: "leaf", Address: router}, {Name: "tor"}}, []bool{false, true}},
	} {
		s := newHoldScene(t)
		s.session.Address = router
		s.path = BFDPath{Router: router, Failed: at(0), Ended: at(0)}
		s.pass(0, true, 0)
		for i := range row.sessions {
			row.sessions[i].BFD, row.sessions[i].Paths = s.session.BFD, s.session.Paths
		}
		got, _ := s.memory.Next(at(1), row.sessions, map[string]BFDPath{"tor": s.path})
		for i := range got {
			if got[i].HeldDown != row.held[i] {
				t.Errorf("%s: %s is held: %t", row.name, got[i].Name, got[i].HeldDown)
			}
		}
	}
}

func TestHoldDowns_RememberASessionThatIsAway(t *testing.T) {
	for away, held := range map[int]bool{20: true, 7200: true, 7201: false} {
		s := newHoldScene(t)
		s.memory.Next(at(0), nil, map[string]BFDPath{"tor": {Failed: at(0), Ended: at(0)}})
		s.memory.Next(at(away-1), nil, nil)
		s.path.Up = at(away)
		s.pass(away, held, map[bool]int{true: 30}[held])
	}
}

func TestHoldDowns_LeaveWhatElseIsSaid(t *testing.T) {
	warnings := slices.Grow([]string{"maximumPrefixes"}, 1)
	failed := map[string]BFDPath{"tor": {Failed: at(0), Ended: at(0)}}
	s := newHoldScene(t)
	s.session.Warnings = warnings
	got, _ := s.memory.Next(at(0), []Session{s.session}, failed)
	if len(got[0].Warnings) != 2 || !slices.Contains(got[0].Warnings, "maximumPrefixes") || warnings[0] != "maximumPrefixes" {
		t.Errorf("beside another warning: %q", got[0].Warnings)
	}
	s.session.AdminState, s.session.Warnings = v1beta1.AdminMaintenance, nil
	if got, _ = s.memory.Next(at(0), []Session{s.session}, failed); len(got[0].Paths)+len(got[0].Warnings) > 0 {
		t.Errorf("when Maintenance begins: %+v", got[0])
	}
	s.session.Paths = nil
	if got, _ = s.memory.Next(at(0), []Session{s.session}, failed); len(got[0].Warnings) > 0 || got[0].HeldDown {
		t.Errorf("in Maintenance: %+v", got[0])
	}
}
