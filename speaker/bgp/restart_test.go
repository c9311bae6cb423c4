package bgp

import (
	"fmt"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// A restart must never show in the router's table: the test asks for it as fast as the router answers.
func TestSession_KeepsRoutesOverARestart(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	session := c.session(nil, path("198.19.0.1/32"), path("198.19.0.2/32"), path("2001:db8:ffff::1/128"))
	speaker := start(t, session)
	router.has("198.19.0.1/32", nil)
	router.has("198.19.0.2/32", nil)
	router.has("2001:db8:ffff::1/128", nil)
	speaker.end()
	router.has("198.19.0.1/32", func(r *route) error {
		if !r.Stale {
			return fmt.Errorf("the route is not stale")
		}
		return nil
	})

	session.Paths = []announce.Path{session.Paths[0], session.Paths[2]} // One is gone when we return.
	next := start(t, session)
	netnstest.Eventually(t, "the new speaker has taken the routes over", func() error {
		fresh := 0
		for _, prefix := range []string{"198.19.0.1/32", "2001:db8:ffff::1/128"} {
			found, err := router.route(prefix)
			if err != nil {
				t.Errorf("the route was withdrawn meanwhile: %v", err)
			} else if !found.Stale {
				fresh++
			}
		}
		if fresh != 2 {
			return fmt.Errorf("%d of 2 routes are fresh", fresh)
		}
		return nil
	})
	router.lacks("198.19.0.2/32") // End-of-RIB sweeps it out.
	next.up("tor")
}

// A connection that breaks without a restart must not show either. This takes the F bit in every OPEN message,
// and the N bit, which is set where BFD tells the router of a dead node.
func TestSession_KeepsRoutesOverAReconnection(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	speaker := start(t, c.session(func(s *announce.Session) { s.HoldTime, s.BFD, s.BFDSeen = 3*time.Second, &lb.BFDProfile{}, true }, path("198.19.0.1/32")))
	router.has("198.19.0.1/32", nil)
	c.Other.Run(t, "ip", "link", "set", c.Far, "down")
	speaker.says("tor", "hold timer expired")
	c.Other.Run(t, "ip", "link", "set", c.Far, "up")
	netnstest.Eventually(t, "the session is established anew", func() error {
		if _, err := router.route("198.19.0.1/32"); err != nil {
			t.Errorf("the route is gone meanwhile: %v", err)
		}
		if n := router.neighbor(c.Ours); n.State != "Established" || n.Established != 2 {
			return fmt.Errorf("%+v", n)
		}
		return nil
	})
	router.has("198.19.0.1/32", func(r *route) error {
		if r.Stale {
			return fmt.Errorf("the route is stale")
		}
		return nil
	})
}

func TestSession_RoutesGoWithoutGracefulRestart(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	speaker := start(t, c.session(func(s *announce.Session) { s.RestartTime = 0 }, path("198.19.0.1/32")))
	router.has("198.19.0.1/32", nil)
	speaker.end()
	router.lacks("198.19.0.1/32")
}

// A dead node is noticed by the hold timer where there is no BFD, or none that was ever up, as with a router that does not run it. With
// the N bit, the router would then wait for the restart time, too.
func TestSession_RoutesOfADeadNodeGoWithTheHoldTimeWithoutBFD(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, *cable) interface{ lacks(string) }{
		"FRR": func(t *testing.T, c *cable) interface{ lacks(string) } {
			router := startFRR(t, c, 64513, passive...)
			startSilent(t, c)
			router.has("198.19.0.1/32", nil)
			return router
		},
		"BIRD": func(t *testing.T, c *cable) interface{ lacks(string) } {
			router := startBIRD(t, c, c.Theirs, c.Ours, "graceful restart aware;")
			startSilent(t, c)
			router.has("198.19.0.1/32")
			return router
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCable(t)
			router := start(t, c)
			c.Other.Run(t, "ip", "link", "set", c.Far, "down")
			router.lacks("198.19.0.1/32") // Within 20 s; the hold time is 3 s, the restart time 60 s.
		})
	}
}

// startSilent starts a session with BFD that never comes up, with the shortest hold time.
func startSilent(t *testing.T, c *cable) {
	t.Helper()
	start(t, c.session(func(s *announce.Session) { s.HoldTime, s.BFD = 3*time.Second, &lb.BFDProfile{} }, path("198.19.0.1/32"))).up("tor")
}
