package bfd

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// bird is BIRD 2 at the other end of a cable.
type bird struct {
	*netnstest.BIRD
	t     *testing.T
	cable *cable
}

// startBIRD runs BIRD with a configuration of its BFD.
func startBIRD(t *testing.T, c *cable, config string) *bird {
	t.Helper()
	return &bird{BIRD: netnstest.StartBIRD(t, c.Other, birdConfig(c, config)), t: t, cable: c}
}

func birdConfig(c *cable, config string) string {
	return fmt.Sprintf("router id %s;\nprotocol device { scan time 1; }\nprotocol bfd {\n%s\n}\n", c.Theirs, config)
}

// configure replaces the configuration of the running BIRD.
func (b *bird) configure(config string) {
	b.t.Helper()
	b.Configure(birdConfig(b.cable, config))
}

// has waits until BIRD shows a session with our address in a state, with an interval and a Detection Time in seconds; ""
// means any.
func (b *bird) has(addr netip.Addr, state, interval, detection string) {
	b.t.Helper()
	netnstest.Eventually(b.t, "BIRD's session is "+state, func() error {
		output, err := b.Ask("show bfd sessions")
		if err != nil {
			return err
		}
		// IP address, interface, state, since (of one word or two), interval, timeout.
		for line := range strings.Lines(output) {
			f := strings.Fields(line)
			if len(f) >= 6 && f[0] == addr.WithZone("").String() && f[2] == state &&
				(interval == "" || f[len(f)-2] == interval) && (detection == "" || f[len(f)-1] == detection) {
				return nil
			}
		}
		return fmt.Errorf("it shows %s", output)
	})
}

// birdBFD is the configuration of one session.
func birdBFD(neighbor, kind string, interval, multiplier int) string {
	return fmt.Sprintf("%s { interval %d ms; multiplier %d; };\nneighbor %s;", kind, interval, multiplier, neighbor)
}

func TestBIRD_UpAndDown(t *testing.T) {
	for _, row := range []struct {
		name     string
		ours     func(*cable) announce.BFDSession
		neighbor func(*cable) string
		kind     string
	}{
		{"IPv4", func(c *cable) announce.BFDSession { return announce.BFDSession{Peer: c.Theirs} }, func(c *cable) string {
			return fmt.Sprintf("%s dev \"%s\" local %s", c.Ours, c.Far, c.Theirs)
		}, `interface "*"`},
		{
			"IPv6 link-local", func(c *cable) announce.BFDSession { return announce.BFDSession{Peer: c.TheirsLL.WithZone(c.Near)} },
			func(c *cable) string {
				return fmt.Sprintf("%s dev \"%s\" local %s", c.OursLL, c.Far, c.TheirsLL)
			}, `interface "*"`,
		},
		{
			"multihop", func(c *cable) announce.BFDSession { return announce.BFDSession{Peer: c.Theirs, MultiHop: true} },
			func(c *cable) string {
				return fmt.Sprintf("%s local %s multihop on", c.Ours, c.Theirs)
			}, "multihop",
		},
		{"IPv6 multihop", func(c *cable) announce.BFDSession {
			return announce.BFDSession{Peer: c.Theirs6, MultiHop: true, Local: c.Ours6}
		}, func(c *cable) string {
			return fmt.Sprintf("%s local %s multihop on", c.Ours6, c.Theirs6)
		}, "multihop"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newCable(t)
			router := startBIRD(t, c, birdBFD(row.neighbor(c), row.kind, 100, 5))
			wanted := row.ours(c)
			wanted.Name, wanted.Profile = "tor", profile(100*ms, 5)
			wanted.Profile.MinimumTTL = 64 // BIRD sends packets of multihop sessions with TTL 64.
			ours := netip.MustParseAddr(strings.Fields(row.neighbor(c))[0])
			r := start(t, wanted)
			r.up("tor")
			router.has(ours, "Up", "0.100", "0.500")
			if s := r.status("tor"); s.TransmitInterval != 100*ms || s.DetectionTime != 500*ms {
				t.Errorf("%+v", s)
			}
			cutAt := time.Now()
			mend := c.cut(t)
			s := r.down("tor")
			t.Logf("cut off, we were down after %v", s.Since.Sub(cutAt).Round(ms))
			if s.Diag != bfdsession.DiagDetectionTimeExpired || s.Downs != 1 {
				t.Errorf("%+v", s)
			}
			router.has(ours, "Down", "", "")
			mend()
			r.up("tor")
			router.has(ours, "Up", "", "")
		})
	}
}

func TestBIRD_ChangesIntervals(t *testing.T) {
	c := newCable(t)
	neighbor := fmt.Sprintf("%s dev \"%s\" local %s", c.Ours, c.Far, c.Theirs)
	router := startBIRD(t, c, birdBFD(neighbor, `interface "*"`, 100, 5))
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(100*ms, 5)}
	r := start(t, wanted)
	r.up("tor")
	for _, change := range []struct {
		interval             int
		shows, showsDetected string
	}{{400, "0.400", "2.000"}, {50, "0.100", "0.500"}, {300, "0.300", "1.500"}} {
		wanted.Profile = profile(time.Duration(change.interval)*ms, 5)
		r.set(wanted)
		router.has(c.Ours, "Up", change.shows, change.showsDetected)
		r.await("tor", "has them confirmed", func(s Status) bool { return !s.Polling })
	}
	for _, change := range []int{700, 60, 500} {
		router.configure(birdBFD(neighbor, `interface "*"`, change, 5))
		r.await("tor", "has BIRD's intervals", func(s Status) bool {
			longer := time.Duration(max(change, 300)) * ms
			return s.TransmitInterval == longer && s.ReceiveInterval == longer && s.DetectionTime == 5*longer
		})
	}
	if s := r.status("tor"); s.State != bfdsession.Up || s.Downs != 0 {
		t.Errorf("it flapped: %+v", s)
	}
}

func TestBIRD_BothEndsRestart(t *testing.T) {
	outer := t // The test itself: some things live longer than a subtest.
	c := newCable(t)
	neighbor := fmt.Sprintf("%s dev \"%s\" local %s", c.Ours, c.Far, c.Theirs)
	router := startBIRD(t, c, birdBFD(neighbor, `interface "*"`, 100, 5))
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(100*ms, 5)}
	r := start(t, wanted)
	r.up("tor")
	t.Run("BIRD crashes", func(t *testing.T) {
		killed := time.Now()
		router.Kill()
		s := r.await("tor", "has failed", func(s Status) bool { return s.Downs == 1 })
		t.Logf("BIRD killed, we were down after %v", s.LastDownAt.Sub(killed).Round(ms))
		router.Start()
		r.up("tor")
		router.has(c.Ours, "Up", "0.100", "0.500")
	})
	t.Run("BIRD removes the session without a packet", func(*testing.T) {
		router.configure(`interface "*" { interval 100 ms; multiplier 5; };`)
		r.await("tor", "has failed", func(s Status) bool { return s.Downs == 2 })
		router.configure(birdBFD(neighbor, `interface "*"`, 100, 5))
		r.up("tor")
	})
	t.Run("we leave and return", func(*testing.T) {
		r.end()
		router.has(c.Ours, "Down", "", "")
		r = start(outer, wanted)
		r.up("tor")
		router.has(c.Ours, "Up", "0.100", "0.500")
	})
}
