package bfd

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// frr is FRR's bfdd at the other end of a cable. Its zebra tells it of interfaces.
type frr struct {
	*netnstest.FRR
	t      *testing.T
	config string
	bfdd   *netnstest.Daemon
}

// startFRR runs bfdd with lines of configuration below "bfd".
func startFRR(t *testing.T, c *cable, lines ...string) *frr {
	t.Helper()
	f := &frr{FRR: netnstest.NewFRR(t, c.Other), t: t, config: "bfd\n" + strings.Join(lines, "\n") + "\nexit\n"}
	f.Start("zebra", "")
	f.startBFD()
	return f
}

func (f *frr) startBFD() {
	f.t.Helper()
	f.bfdd = f.Start("bfdd", f.config)
}

func (f *frr) try(command ...string) (string, error) { return f.Ask("bfdd", command...) }

// configure runs lines of configuration below "bfd".
func (f *frr) configure(lines ...string) {
	f.t.Helper()
	if output, err := f.try(append([]string{"configure terminal", "bfd"}, lines...)...); err != nil {
		f.t.Fatalf("configure FRR: %v: %s", err, output)
	}
}

// frrPeer is a session as FRR shows it. Intervals are in milliseconds.
type frrPeer struct {
	Peer       string `json:"peer"`
	Status     string `json:"status"`
	Diag       string `json:"diagnostic"`
	RemoteDiag string `json:"remote-diagnostic"`
	RemoteRx   int    `json:"remote-receive-interval"`
	RemoteTx   int    `json:"remote-transmit-interval"`
	RemoteMult int    `json:"remote-detect-multiplier"`
	Uptime     int    `json:"uptime"`
}

// peer waits until FRR's session with our address satisfies is.
func (f *frr) peer(addr netip.Addr, what string, is func(frrPeer) bool) frrPeer {
	f.t.Helper()
	var last frrPeer
	netnstest.Eventually(f.t, "FRR's session "+what, func() error {
		output, err := f.try("show bfd peers json")
		if err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
		var all []frrPeer
		if err := json.Unmarshal([]byte(output), &all); err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
		for _, p := range all {
			if p.Peer == addr.WithZone("").String() {
				if last = p; is(p) {
					return nil
				}
			}
		}
		return fmt.Errorf("it shows %s", output)
	})
	return last
}

func (f *frr) up(addr netip.Addr) {
	f.t.Helper()
	f.peer(addr, "is up", func(p frrPeer) bool { return p.Status == "up" })
}

const intervals = "receive-interval 100\ntransmit-interval 100\ndetect-multiplier 5"

// TestFRR_UpAndDown runs a session of each kind.
func TestFRR_UpAndDown(t *testing.T) {
	for _, row := range []struct {
		name string
		ours func(*cable) announce.BFDSession
		peer func(*cable) string
	}{
		{
			"IPv4", func(c *cable) announce.BFDSession { return announce.BFDSession{Peer: c.Theirs} },
			func(c *cable) string { return "peer " + c.Ours.String() },
		},
		{"IPv6", func(c *cable) announce.BFDSession { return announce.BFDSession{Peer: c.Theirs6} }, func(c *cable) string {
			return fmt.Sprintf("peer %s local-address %s", c.Ours6, c.Theirs6)
		}},
		{"IPv6 link-local", func(c *cable) announce.BFDSession {
			return announce.BFDSession{Peer: c.TheirsLL.WithZone(c.Near), Local: c.OursLL}
		}, func(c *cable) string {
			return fmt.Sprintf("peer %s local-address %s interface %s", c.OursLL, c.TheirsLL, c.Far)
		}},
		{
			"multihop", func(c *cable) announce.BFDSession { return announce.BFDSession{Peer: c.Theirs, MultiHop: true} },
			func(c *cable) string {
				return fmt.Sprintf("peer %s multihop local-address %s", c.Ours, c.Theirs)
			},
		},
		{"IPv6 multihop", func(c *cable) announce.BFDSession {
			return announce.BFDSession{Peer: c.Theirs6, Local: c.Ours6, MultiHop: true}
		}, func(c *cable) string {
			return fmt.Sprintf("peer %s multihop local-address %s", c.Ours6, c.Theirs6)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newCable(t)
			router := startFRR(t, c, row.peer(c), intervals, "exit")
			wanted := row.ours(c)
			wanted.Name, wanted.Profile = "tor", profile(100*ms, 5)
			r := start(t, wanted)
			ours := map[bool]netip.Addr{true: c.Ours, false: c.Ours6}[wanted.Peer.Is4()]
			if wanted.Peer.Zone() != "" {
				ours = c.OursLL
			}
			r.up("tor")
			router.up(ours)
			if s := r.status("tor"); s.TransmitInterval != 100*ms || s.ReceiveInterval != 100*ms || s.DetectionTime != 500*ms {
				t.Errorf("%+v", s)
			}
			if p := router.peer(ours, "has our intervals", func(p frrPeer) bool { return p.RemoteTx == 100 && p.RemoteRx == 100 }); p.RemoteMult != 5 {
				t.Errorf("FRR: %+v", p)
			}

			cutAt := time.Now()
			mend := c.cut(t)
			s := r.down("tor")
			t.Logf("cut off, we were down after %v", s.Since.Sub(cutAt).Round(ms))
			if s.Diag != bfdsession.DiagDetectionTimeExpired || s.Downs != 1 || !s.Failed {
				t.Errorf("%+v", s)
			}
			p := router.peer(ours, "is down", func(p frrPeer) bool { return p.Status == "down" })
			if p.Diag != "control detection time expired" {
				t.Errorf("FRR: %+v", p)
			}
			mend()
			r.up("tor")
			router.up(ours)
		})
	}
}

func TestFRR_ChangesIntervals(t *testing.T) {
	c := newCable(t)
	router := startFRR(t, c, "peer "+c.Ours.String(), intervals, "exit")
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(100*ms, 5)}
	r := start(t, wanted)
	r.up("tor")

	for _, change := range []struct{ interval, multiplier int }{{400, 3}, {50, 10}, {300, 4}} {
		wanted.Profile = profile(time.Duration(change.interval)*ms, change.multiplier)
		r.set(wanted)
		router.peer(c.Ours, "has our intervals", func(p frrPeer) bool {
			return p.RemoteTx == change.interval && p.RemoteRx == change.interval && p.RemoteMult == change.multiplier
		})
		r.await("tor", "has them confirmed", func(s Status) bool {
			return !s.Polling && s.TransmitInterval == time.Duration(max(change.interval, 100))*ms
		})
	}
	for _, change := range []int{700, 60, 500} {
		router.configure("peer "+c.Ours.String(), fmt.Sprintf("receive-interval %d", change), fmt.Sprintf("transmit-interval %d", change))
		r.await("tor", "has FRR's intervals", func(s Status) bool {
			longer := time.Duration(max(change, 300)) * ms
			return s.TransmitInterval == longer && s.ReceiveInterval == longer && s.DetectionTime == 5*longer
		})
	}
	if s := r.status("tor"); s.State != bfdsession.Up || s.Downs != 0 {
		t.Errorf("it flapped: %+v", s)
	}
	router.up(c.Ours)
}

func TestFRR_BothEndsRestart(t *testing.T) {
	outer := t // The test itself: some things live longer than a subtest.
	c := newCable(t)
	router := startFRR(t, c, "peer "+c.Ours.String(), intervals, "exit")
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(100*ms, 5)}
	r := start(t, wanted)
	r.up("tor")

	t.Run("bfdd crashes", func(t *testing.T) {
		killed := time.Now()
		router.bfdd.Kill()
		s := r.await("tor", "has failed", func(s Status) bool { return s.Downs == 1 })
		t.Logf("bfdd killed, we were down after %v", s.LastDownAt.Sub(killed).Round(ms))
		router.startBFD()
		r.up("tor")
		router.up(c.Ours)
	})
	t.Run("bfdd restarts before we miss it", func(t *testing.T) {
		wanted.Profile = profile(2*time.Second, 20)
		r.set(wanted)
		r.await("tor", "has long intervals", func(s Status) bool { return s.DetectionTime >= 10*time.Second && !s.Polling })
		router.bfdd.Kill()
		router.startBFD()
		if s := r.await("tor", "has failed", func(s Status) bool { return s.Downs == 2 }); !strings.HasPrefix(s.LastDown, "the peer says Down") {
			t.Errorf("%+v", s)
		}
		wanted.Profile = profile(100*ms, 5)
		r.set(wanted)
		r.up("tor")
		router.up(c.Ours)
	})
	t.Run("we leave and return", func(t *testing.T) {
		r.end()
		p := router.peer(c.Ours, "is down", func(p frrPeer) bool { return p.Status == "down" })
		if p.Diag != "neighbor signaled session down" || p.RemoteDiag != "administratively down" {
			t.Errorf("FRR: %+v", p)
		}
		r = start(outer, wanted)
		r.up("tor")
		router.up(c.Ours)
	})
	t.Run("FRR is shut down on purpose", func(t *testing.T) {
		router.configure("peer "+c.Ours.String(), "shutdown")
		s := r.down("tor")
		if s.PeerState != bfdsession.AdminDown || s.Downs != 0 || s.Diag != bfdsession.DiagNeighborSignaledDown || len(r.onDownCalls()) > 0 {
			t.Errorf("%+v, OnDown was told %q", s, r.onDownCalls())
		}
		router.configure("peer "+c.Ours.String(), "no shutdown")
		r.up("tor")
		router.up(c.Ours)
	})
}
