package bgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestFRR_LocalASNStandsAloneInThePath(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, slices.Insert(slices.Clone(passive), 2, "neighbor OURS remote-as 64600")...)
	start(t, c.session(func(s *announce.Session) { s.LocalASN = 64600 },
		path("198.19.0.1/32"), path("198.19.0.2/32", &announce.Attributes{Prepend: 1})))
	for prefix, want := range map[string]string{"198.19.0.1/32": "64600", "198.19.0.2/32": "64600 64600"} {
		router.has(prefix, func(r *route) error {
			if r.ASPath.String != want {
				return fmt.Errorf("AS path %q", r.ASPath.String)
			}
			return nil
		})
	}
}

func TestFRR_NoPathsMeansAllAreWithdrawn(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	speaker := start(t, c.session(nil, path("198.19.0.1/32"), path("2001:db8:ffff::1/128")))
	router.has("198.19.0.1/32", nil)
	router.has("2001:db8:ffff::1/128", nil)
	speaker.set(c.session(nil))
	router.lacks("198.19.0.1/32")
	router.lacks("2001:db8:ffff::1/128")
	if n := router.neighbor(c.Ours); n.State != "Established" || n.Dropped != 0 {
		t.Errorf("the session was touched: %+v", n)
	}
}

func TestFRR_RouteRefreshSendsAllAgain(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	start(t, c.session(nil, path("198.19.0.1/32"), path("2001:db8:ffff::1/128")))
	router.has("2001:db8:ffff::1/128", nil)
	before := router.neighbor(c.Ours).Messages.UpdatesRecv
	if output, err := router.try("clear bgp ipv6 unicast " + c.Ours.String() + " soft in"); err != nil {
		t.Fatal(err, output)
	}
	netnstest.Eventually(t, "an UPDATE comes again", func() error {
		if n := router.neighbor(c.Ours); n.Messages.UpdatesRecv != before+1 || n.Dropped != 0 {
			return fmt.Errorf("%d after %d", n.Messages.UpdatesRecv, before)
		}
		return nil
	})
}

func TestFRR_PasswordChangesInPlace(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, slices.Insert(slices.Clone(passive), 2, "neighbor OURS password old")...)
	session := c.session(func(s *announce.Session) { s.Password, s.HoldTime = "old", 3*time.Second }, path("198.19.0.1/32"))
	speaker := start(t, session)
	speaker.up("tor")
	router.configure(64513, "neighbor OURS password new") // Which ends the session.
	speaker.says("tor", "no answer (which is also how a wrong password shows)")
	session.Password = "new"
	changed := time.Now()
	speaker.set(session)
	speaker.up("tor")
	if took := time.Since(changed); took > 3*time.Second {
		t.Errorf("it took %s", took)
	} else {
		t.Logf("took %s", took)
	}
	router.has("198.19.0.1/32", nil)
}

func TestFRR_TTLSecurityWorksBothWays(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	startFRR(t, c, 64513, passive...) // Sends with TTL 1.
	start(t, c.session(func(s *announce.Session) { s.TTLSecurity = true })).says("tor", "router accepted the connection and has sent no OPEN message yet")
}

// When BFD says that a router is down, and the router hears us after all, it must not keep our routes for graceful restart.
func TestFRR_BFDDownRemovesTheRoutesUntilReconnect(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	var barred atomic.Bool
	speaker := start(t)
	speaker.dial = func(ctx context.Context, s *settings) (net.Conn, error) {
		if barred.Load() {
			return nil, errors.New("not now")
		}
		return dialRouter(ctx, s)
	}
	speaker.set(c.session(nil, path("198.19.0.1/32")))
	router.has("198.19.0.1/32", nil)
	speaker.BFDDown("nobody", "there is none of this name")
	speaker.up("tor")
	barred.Store(true)
	speaker.BFDDown("tor", "BFD: control detection time expired")
	router.lacks("198.19.0.1/32")
	barred.Store(false)
	if s := speaker.up("tor"); s.LastError != "BFD: control detection time expired" {
		t.Errorf("status %+v", s)
	}
	router.has("198.19.0.1/32", nil)
}

func TestBIRD_SessionOverIPv6(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startBIRD(t, c, c.Theirs6, c.Ours6, "extended next hop;")
	start(t, c.session(func(s *announce.Session) { s.Address, s.NextHop4 = c.Theirs6, netip.Addr{} },
		path("198.19.0.1/32"), path("2001:db8:ffff::1/128")))
	router.has("198.19.0.1/32", "BGP.next_hop: "+c.Ours6.String())
	router.has("2001:db8:ffff::1/128", "BGP.next_hop: "+c.Ours6.String())
}

func TestBIRD_KeepsRoutesForARestartOnly(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startBIRD(t, c, c.Theirs, c.Ours, "")
	session := c.session(nil, path("198.19.0.1/32"), path("2001:db8:ffff::1/128"))
	speaker := start(t, session)
	router.has("2001:db8:ffff::1/128")
	speaker.end()
	router.has("198.19.0.1/32", "s") // Stale.
	next := start(t, session)
	next.up("tor")
	router.has("198.19.0.1/32")
	next.set() // And this is for good.
	router.lacks("198.19.0.1/32")
	router.lacks("2001:db8:ffff::1/128")
}

func TestBIRD_Password(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startBIRD(t, c, c.Theirs, c.Ours, `password "right"; ttl security on;`)
	start(t, c.session(func(s *announce.Session) { s.Password, s.TTLSecurity = "right", true }, path("198.19.0.1/32")))
	router.has("198.19.0.1/32")
}
