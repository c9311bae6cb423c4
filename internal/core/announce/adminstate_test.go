package announce

import (
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// adminScene is a node with a session, and the time in it.
type adminScene struct {
	*testing.T
	world       *World
	memory      SessionMemory
	now         time.Time
	established bool
}

func newAdminScene(t *testing.T) *adminScene {
	s := &adminScene{T: t, world: cluster(), now: time.Unix(1000, 0), established: true}
	s.world.add("web", "198.19.0.1", everyNode...)
	return s
}

// pass runs a pass some time later, and checks how many paths there are, whether they retire, and when the next pass is due.
func (s *adminScene) pass(later time.Duration, state v1beta1.AdminState, paths int, retiring bool, next time.Duration) {
	s.Helper()
	s.now = s.now.Add(later)
	s.world.Peers[0].AdminState = state
	sessions, wait := s.memory.Next(s.now, Compute(s.world).Sessions, map[string]bool{"router": s.established})
	if len(sessions) != 1 || len(sessions[0].Paths) != paths || sessions[0].Retiring != retiring || wait != next {
		s.Fatalf("to ask again after %s, there is %+v", wait, sessions)
	}
}

func TestSessionMemory_MaintenanceRetiresPathsBeforeTheyGo(t *testing.T) {
	s := newAdminScene(t)
	s.pass(0, v1beta1.AdminUp, 1, false, 0)
	s.pass(time.Hour, v1beta1.AdminMaintenance, 1, true, retireTime)
	s.world.add("another", "198.19.0.2", everyNode...)
	s.pass(3*time.Second, v1beta1.AdminMaintenance, 2, true, retireTime-3*time.Second)
	s.pass(retireTime-3*time.Second, v1beta1.AdminMaintenance, 0, false, 0)
	s.pass(time.Hour, v1beta1.AdminMaintenance, 0, false, 0)
	s.pass(time.Second, v1beta1.AdminUp, 2, false, 0)
	s.pass(time.Second, v1beta1.AdminMaintenance, 2, true, retireTime)
	s.pass(time.Second, v1beta1.AdminUp, 2, false, 0)
	s.pass(time.Second, v1beta1.AdminMaintenance, 2, true, retireTime) // The time begins anew.
	s.pass(time.Second, v1beta1.AdminDown, 0, false, 0)
	s.pass(time.Second, v1beta1.AdminMaintenance, 0, false, 0)
}

func TestSessionMemory_MaintenanceAnnouncesNothingThatWasNot(t *testing.T) {
	t.Run("the speaker restarts", func(t *testing.T) {
		newAdminScene(t).pass(0, v1beta1.AdminMaintenance, 0, false, 0)
	})
	t.Run("the session is not established", func(t *testing.T) {
		s := newAdminScene(t)
		s.established = false
		s.pass(0, v1beta1.AdminUp, 1, false, 0)
		s.pass(time.Second, v1beta1.AdminMaintenance, 0, false, 0)
		s.established = true
		s.pass(time.Second, v1beta1.AdminMaintenance, 0, false, 0)
	})
}

func TestSessionMemory_SessionsThatStayAreAdministeredAlike(t *testing.T) {
	s := newGatewayScene(t)
	s.world.Peers[0].BFDProfile, s.world.Peers[0].BFDStrict = "fast", true
	s.pass(0, []string{"192.0.2.1"}, nil, "192.0.2.1")
	s.world.Peers[0].AdminState = v1beta1.AdminDown
	s.pass(time.Second, nil, []string{"192.0.2.1"}, "unknown!", "192.0.2.1!")
	if stays := s.memory.sessions[1]; !stays.Down() || len(stays.Paths) > 0 || stays.BFD != nil || stays.BFDStrict {
		t.Errorf("what stays is %+v", stays)
	}
}

// A session that is shut down ends though it has a problem, and BFD after it: a router would take its end for a failure.
func TestBFDPlan_EndsAfterASessionThatIsShutDown(t *testing.T) {
	router := Session{Name: "router", Address: netip.MustParseAddr("192.0.2.1"), BFD: &lb.BFDProfile{Name: "fast"}}
	p := (&BFDPlan{}).Next([]Session{router}, nil)
	router.administer(&lb.Peer{AdminState: v1beta1.AdminDown}, nil)
	router.Problem = "its Secret does not exist"
	p = p.Next([]Session{router}, map[string]bool{"router": true})
	if len(p.Sessions) != 1 || len(p.Affected("router")) > 0 {
		t.Errorf("while BGP is up it is watched by %v, and a failure concerns %v", p.Sessions, p.Affected("router"))
	}
	if p = p.Next([]Session{router}, nil); len(p.Sessions) > 0 {
		t.Errorf("it is watched by %v", p.Sessions)
	}
}
