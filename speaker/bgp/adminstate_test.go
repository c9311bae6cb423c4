package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/departure"
	"github.com/daymark-lb/daymark/internal/netnstest"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// shutdownMessage is what an administrator tells the router.
const shutdownMessage = "CHG-4711: new line card, back at 06:00 UTC, call the network operations center"

func down(s *announce.Session) { s.AdminState, s.ShutdownMessage = v1beta1.AdminDown, shutdownMessage }

// awaitDown waits until the session is down on purpose.
func (r *running) awaitDown(name string) {
	r.t.Helper()
	r.await(name, "is down on purpose", func(s Status) bool {
		return s.Down && s.State == stateIdle && s.LastError == "administratively down"
	})
}

func TestSession_DownTellsTheRouterWhyAndIsNotDialedAgain(t *testing.T) {
	t.Parallel()
	t.Run("FRR", func(t *testing.T) {
		c := newCable(t)
		router := startFRR(t, c, 64513, append([]string{"bgp log-neighbor-changes"}, passive...)...)
		speaker := start(t, c.session(nil, path("198.19.0.1/32")))
		router.has("198.19.0.1/32", nil)
		speaker.set(c.session(down))
		router.lacks("198.19.0.1/32")
		speaker.awaitDown("tor")
		mustSay(t, router.bgpd.Process, `(Cease/Administrative Shutdown) "`+shutdownMessage+`"`)
		speaker.set(c.session(nil, path("198.19.0.1/32")))
		router.has("198.19.0.1/32", nil)
		if n := router.neighbor(c.Ours); n.Established != 2 {
			t.Errorf("it was established %d times", n.Established)
		}
	})
	t.Run("BIRD", func(t *testing.T) {
		c := newCable(t)
		router := startBIRD(t, c, c.Theirs, c.Ours, "")
		speaker := start(t, c.session(nil, path("198.19.0.1/32")))
		router.has("198.19.0.1/32")
		speaker.set(c.session(down))
		router.lacks("198.19.0.1/32")
		speaker.awaitDown("tor")
		mustSay(t, router.Process, `Administrative shutdown: "`+shutdownMessage+`"`)
		speaker.set(c.session(nil, path("198.19.0.1/32")))
		router.has("198.19.0.1/32")
	})
}

// mustSay waits until a router logs a text.
func mustSay(t *testing.T, router *testnet.Process, text string) {
	t.Helper()
	netnstest.Eventually(t, "the router's log", func() error {
		if output := router.Output(); !strings.Contains(output, text) {
			return fmt.Errorf("it is %s", output)
		}
		return nil
	})
}

// A session that is down on purpose has no value that an alert could take for a fault, and is not dialed, whatever else changes.
func TestSession_DownIsNoFault(t *testing.T) {
	t.Parallel()
	address := newHost(t)
	session := local(t, "tor", address, nil)
	startRouter(t, session)
	speaker := start(t)
	attempts := speaker.counted()
	speaker.set(session)
	speaker.up("tor")
	downNow, another := session, session
	down(&downNow)
	speaker.set(downNow)
	speaker.awaitDown("tor")
	downNow.HoldTime *= 2 // Of another setting, a session that is dialed would be reset.
	speaker.set(downNow)
	another.Problem = "its Secret does not exist"
	speaker.set(another)
	speaker.says("tor", another.Problem)
	within(t, attempts, session.ConnectTime/4, 0) // Longer than the first pauses.
	speaker.set(downNow)
	if n := testutil.CollectAndCount(collector{speaker.Speaker}, "daymark_bgp_session_up"); n != 0 {
		t.Errorf("there are %d values of session_up", n)
	}
	within(t, attempts, session.ConnectTime/4, 0)
}

// TestSession_MaintenanceMovesTrafficFirst has a router forget one of two nodes, while the session stays.
func TestSession_MaintenanceMovesTrafficFirst(t *testing.T) {
	n := newTwoNodes(t)
	router := newFRR(t, n.cable, 64513, "neighbor nodes peer-group", "neighbor nodes remote-as 64512", "neighbor nodes passive",
		"neighbor "+n.first.String()+" peer-group nodes", "neighbor "+n.second.String()+" peer-group nodes")
	router.zebra()
	router.Start("bgpd", router.config)
	n.start(t)
	var memory announce.SessionMemory
	now, established := time.Unix(1_000_000, 0), map[string]bool{"tor": true}
	pass := func(s announce.Session) {
		sessions, _ := memory.Next(now, []announce.Session{s}, established)
		n.leaves.set(departure.Sessions(sessions, departure.Announcing, "")...)
	}
	maintained := n.leaving
	maintained.AdminState, maintained.Paths, maintained.PathsBefore = v1beta1.AdminMaintenance, nil, n.leaving.Paths
	pass(n.leaving)
	pass(maintained)
	n.awaitHops(t, n.second)
	router.mustHaveFrom(n.first, true)
	now = now.Add(time.Minute)
	pass(maintained)
	router.mustHaveFrom(n.first, false)
	if s := n.leaves.up("tor"); s.IPv4 != 0 {
		t.Errorf("in Maintenance the session is %+v", s)
	}
	pass(n.leaving)
	n.awaitHops(t, n.first, n.second)
}

// mustHaveFrom waits until FRR has a path to the shared address from a node with GRACEFUL_SHUTDOWN, or none from it.
func (f *frr) mustHaveFrom(node netip.Addr, wanted bool) {
	f.t.Helper()
	netnstest.Eventually(f.t, "FRR's paths", func() error {
		var answer struct{ Paths []route }
		if err := f.show("bgp ipv4 unicast "+shared, &answer); err != nil {
			return err
		}
		has := slices.ContainsFunc(answer.Paths, func(r route) bool {
			return r.hop() == node.String() && r.Community.String == "graceful-shutdown"
		})
		if has != wanted || !wanted && len(answer.Paths) != 1 {
			return fmt.Errorf("there are %+v", answer.Paths)
		}
		return nil
	})
}
