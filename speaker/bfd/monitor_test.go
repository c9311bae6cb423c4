package bfd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// pair runs a Monitor at each end of a cable, with a session between them.
func pair(t *testing.T, c *cable, change func(near, far *announce.BFDSession)) (near, far *running, nears, fars announce.BFDSession) {
	t.Helper()
	nears = announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(50*ms, 20)}
	fars = announce.BFDSession{Name: "node", Peer: c.Ours, Profile: profile(50*ms, 20)}
	if change != nil {
		change(&nears, &fars)
	}
	near, far = start(t, nears), startIn(t, c.Other, fars)
	near.up("tor")
	far.up("node")
	return near, far, nears, fars
}

func TestMonitor_TwoUpAndDown(t *testing.T) {
	for name, change := range map[string]func(*cable, *announce.BFDSession, *announce.BFDSession){
		"over IPv4": func(*cable, *announce.BFDSession, *announce.BFDSession) {},
		"over IPv6": func(c *cable, near, far *announce.BFDSession) { near.Peer, far.Peer = c.Theirs6, c.Ours6 },
		"over IPv6 link-local": func(c *cable, near, far *announce.BFDSession) {
			near.Peer, far.Peer = c.TheirsLL.WithZone(c.Near), c.OursLL.WithZone(c.Far)
			near.Local, far.Local = c.OursLL, c.TheirsLL
		},
		"over several hops": func(_ *cable, near, far *announce.BFDSession) { near.MultiHop, far.MultiHop = true, true },
		"over several hops of IPv6": func(c *cable, near, far *announce.BFDSession) {
			near.Peer, far.Peer = c.Theirs6, c.Ours6
			near.Local, far.Local = c.Ours6, c.Theirs6
			near.MultiHop, far.MultiHop = true, true
		},
		"with one of them passive": func(_ *cable, near, _ *announce.BFDSession) { near.Profile.Passive = true },
		"within devices":           func(c *cable, near, far *announce.BFDSession) { near.Device, far.Device = c.Near, c.Far },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCable(t)
			near, far, _, _ := pair(t, c, func(near, far *announce.BFDSession) { change(c, near, far) })
			if s := near.status("tor"); s.TransmitInterval != 50*ms || s.ReceiveInterval != 50*ms || s.DetectionTime != time.Second || s.Diag != bfdsession.DiagNone {
				t.Errorf("%+v", s)
			}
			cutAt := time.Now()
			mend := c.cut(t)
			s := near.down("tor")
			if took := s.Since.Sub(cutAt); took > 2*time.Second {
				t.Errorf("down after %v", took)
			}
			if s.Diag != bfdsession.DiagDetectionTimeExpired || s.Downs != 1 || s.LastDown != "no packet from the peer for 1s" || s.PeerState != bfdsession.Up {
				t.Errorf("%+v", s)
			}
			netnstest.Eventually(t, "OnDown is told", func() error {
				if told := near.onDownCalls(); !slices.Equal(told, []string{"tor: no packet from the peer for 1s"}) {
					return fmt.Errorf("it was told %q", told)
				}
				return nil
			})
			far.down("node")
			mend()
			near.up("tor")
			if s := far.up("node"); s.Downs != 1 {
				t.Errorf("%+v", s)
			}
			netnstest.Eventually(t, "OnUp is told each time", func() error {
				near.mu.Lock()
				defer near.mu.Unlock()
				if !slices.Equal(near.ups, []string{"tor", "tor"}) {
					return fmt.Errorf("it was told %q", near.ups)
				}
				return nil
			})
		})
	}
}

// The other end watches the address of the BGP session, which is no temporary one. It is passive: it knows us by our address alone.
func TestMonitor_SendsFromAPublicAddress(t *testing.T) {
	c := newCable(t)
	c.AddTemporary(t)
	pair(t, c, func(near, far *announce.BFDSession) {
		near.Peer, far.Peer, far.Profile.Passive = c.Theirs6, c.Ours6, true
	})
}

// TestMonitor_FailureInOneDirection: our packets arrive, the peer's do not. The peer learns of it from our packets.
func TestMonitor_FailureInOneDirection(t *testing.T) {
	c := newCable(t)
	near, far, _, _ := pair(t, c, nil)
	c.Other.Run(t, "nft", "add table inet mute")
	c.Other.Run(t, "nft", "add chain inet mute out { type filter hook output priority -300; policy drop; }")
	if s := near.down("tor"); s.Diag != bfdsession.DiagDetectionTimeExpired {
		t.Errorf("we: %+v", s)
	}
	s := far.await("node", "has failed", func(s Status) bool { return s.Downs == 1 })
	if s.LastDown != "the peer says Down: control detection time expired" {
		t.Errorf("the peer: %+v", s)
	}
}

func TestMonitor_ProfileChangesInPlace(t *testing.T) {
	c := newCable(t)
	near, far, nears, fars := pair(t, c, nil)
	since := near.status("tor").Since
	for _, p := range []lb.BFDProfile{
		profile(400*ms, 10), profile(20*ms, 40), {ReceiveInterval: 200 * ms, TransmitInterval: 30 * ms, DetectMultiplier: 30},
	} {
		nears.Profile = p
		near.set(nears)
		s := near.await("tor", "has other intervals", func(s Status) bool {
			return s.TransmitInterval == max(p.TransmitInterval, 50*ms) && s.ReceiveInterval == max(p.ReceiveInterval, 50*ms) && !s.Polling
		})
		if s.DetectionTime != 20*s.ReceiveInterval {
			t.Errorf("%+v", s)
		}
		far.await("node", "has other intervals", func(s Status) bool {
			return s.ReceiveInterval == max(p.TransmitInterval, 50*ms) && s.DetectionTime == s.ReceiveInterval*time.Duration(p.DetectMultiplier)
		})
	}
	fars.Profile = profile(30*ms, 30)
	far.set(fars)
	near.await("tor", "has the peer's intervals", func(s Status) bool { return s.TransmitInterval == 30*ms && s.ReceiveInterval == 200*ms })
	for _, s := range []Status{near.status("tor"), far.status("node")} {
		if s.State != bfdsession.Up || s.Downs != 0 {
			t.Errorf("it flapped: %+v", s)
		}
	}
	if now := near.status("tor").Since; now != since {
		t.Errorf("up since %v, not %v", now, since)
	}
}

// TestMonitor_AdminDownIsNoFailure is RFC 5882 section 4.2.
func TestMonitor_AdminDownIsNoFailure(t *testing.T) {
	for name, leave := range map[string]func(*cable, *running){
		"the session is removed": func(_ *cable, r *running) { r.set() },
		"the monitor ends":       func(_ *cable, r *running) { r.end() },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCable(t)
			near, far, nears, _ := pair(t, c, nil)
			leave(c, near)
			s := far.down("node")
			if s.PeerState != bfdsession.AdminDown || s.PeerDiag != bfdsession.DiagAdminDown || s.Diag != bfdsession.DiagNeighborSignaledDown ||
				s.Downs != 0 || s.Failed || s.LastDown != "the peer has taken the session down on purpose (AdminDown)" || s.LastDownAt.IsZero() {
				t.Errorf("%+v", s)
			}
			if all := near.Status(); len(all) > 0 {
				t.Errorf("it is still there: %+v", all)
			}
			near.end()
			again := start(t, nears)
			again.up("tor")
			far.up("node")
			if told := far.onDownCalls(); len(told) > 0 {
				t.Errorf("OnDown was told %q", told)
			}
		})
	}
}

// TestMonitor_SessionRemovedAndWantedAgainAtOnce: the new session is not disturbed by AdminDown packets of the old one. The
// peer has one session for both.
func TestMonitor_SessionRemovedAndWantedAgainAtOnce(t *testing.T) {
	c := newCable(t)
	peer := newScriptedPeer(t, c)
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(50*ms, 20)}
	r := start(t, wanted)
	old := peer.bringUp()
	r.up("tor")
	r.set()
	wanted.Local = c.Ours // This is another path for us, but not for the peer.
	r.set(wanted)
	for range 2 { // One second apart.
		adminDowns := 0
		peer.await("the new session", func(p *bfdsession.Packet) bool {
			if p.State == bfdsession.AdminDown {
				adminDowns++
			}
			return p.State == bfdsession.Down && p.MyDiscriminator != old
		})
		if old != 0 && adminDowns != 1 || old == 0 && adminDowns > 0 {
			t.Errorf("%d AdminDown packets", adminDowns)
		}
		old = 0 // From now on, there must be none.
	}
}

func TestMonitor_RenamedSessionStaysUp(t *testing.T) {
	c := newCable(t)
	near, far, nears, _ := pair(t, c, nil)
	before := near.status("tor").Since
	nears.Name = "spine"
	near.set(nears)
	if s := near.status("spine"); s.State != bfdsession.Up || s.Since != before || far.status("node").State != bfdsession.Up {
		t.Errorf("%+v", s)
	}
}

// TestMonitor_OwnDelayIsNotThePeersFault: packets that arrived in time are handled before the session is declared down.
func TestMonitor_OwnDelayIsNotThePeersFault(t *testing.T) {
	c := newCable(t)
	peer := newScriptedPeer(t, c)
	r := start(t, announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(50*ms, 20)})
	mine := peer.bringUp()
	short := peerPacket(bfdsession.Up, mine)
	short.DetectMult, short.DesiredMinTx = 3, 50*ms
	peer.send(short)
	r.await("tor", "has a short detection time", func(s Status) bool { return s.DetectionTime == 150*ms })

	// While the test holds the lock, the Monitor does nothing.
	r.Monitor.mu.Lock()
	defer r.Monitor.mu.Unlock()
	w := r.byDiscriminator[mine]
	for !w.machine.Expired(time.Now()) {
		time.Sleep(ms)
	}
	peer.send(short)
	r.runDue()
	if w.snapshot.State != bfdsession.Up || w.downs != 0 {
		t.Fatalf("a packet waited, and the session is %s", w.snapshot.State)
	}
	for !w.machine.Expired(time.Now()) {
		time.Sleep(ms)
	}
	r.runDue()
	if w.snapshot.State != bfdsession.Down || w.downs != 1 {
		t.Errorf("no packet waited, and the session is %s", w.snapshot.State)
	}
}

func TestMonitor_DropsForeignPackets(t *testing.T) {
	c := newCable(t)
	peer := newScriptedPeer(t, c)
	r := start(t, announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(50*ms, 20)},
		announce.BFDSession{Name: "far", Peer: c.Theirs, MultiHop: true, Profile: lb.BFDProfile{MinimumTTL: 1}})
	mine := peer.bringUp()
	r.up("tor")
	down := peerPacket(bfdsession.Down, mine)
	foreign := peerPacket(bfdsession.Down, mine+1)
	authentic := down.Append(nil)
	authentic[1] |= 4
	for _, row := range []struct {
		name string
		why  dropReason
		send func()
	}{
		{"a packet that was forwarded", dropTTL, func() { peer.ttl(254); peer.send(down); peer.ttl(255) }},
		{"a packet that is none", dropMalformed, func() { peer.write([]byte("hello")) }},
		{"an empty packet", dropMalformed, func() { peer.write(nil) }},
		{"a long packet", dropMalformed, func() { peer.write(make([]byte, 1400)) }},
		{"a packet with authentication", dropMalformed, func() { peer.write(authentic) }},
		{"a packet for somebody else", dropUnknown, func() { peer.send(foreign) }},
		{"a packet to the port where a TTL of 1 is enough", dropUnknown, func() {
			peer.to.Port = multiHopPort
			peer.send(down)
			peer.to.Port = singleHopPort
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			counter := r.metrics.dropped[row.why]
			before := testutil.ToFloat64(counter)
			row.send()
			netnstest.Eventually(t, "it is counted", func() error {
				if testutil.ToFloat64(counter) != before+1 {
					return fmt.Errorf("%v are", testutil.ToFloat64(counter)-before)
				}
				return nil
			})
			if s := r.status("tor"); s.State != bfdsession.Up {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("from another address, of which there is no session", func(t *testing.T) {
		unknown := r.metrics.dropped[dropUnknown]
		before := testutil.ToFloat64(unknown)
		c.Other.Do(t, func() { netnstest.Address(t, c.Far, netip.PrefixFrom(netip.MustParseAddr("198.18.9.9"), 32)) })
		c.Other.Run(t, "ip", "route", "replace", c.Ours.String()+"/32", "dev", c.Far, "src", "198.18.9.9")
		netnstest.Eventually(t, "it is counted", func() error {
			peer.send(peerPacket(bfdsession.Down, 0))
			if testutil.ToFloat64(unknown) == before {
				return fmt.Errorf("it is not")
			}
			return nil
		})
	})
	t.Run("but what names us is for us", func(t *testing.T) {
		peer.send(down)
		if s := r.await("tor", "has failed", func(s Status) bool { return s.Downs == 1 }); s.LastDown != "the peer says Down: no diagnostic" {
			t.Errorf("%+v", s)
		}
	})
}

// TestMonitor_FloodDoesNotDisturbSessions: whatever arrives, and however much of it, the session stays up and we keep
// sending.
func TestMonitor_FloodDoesNotDisturbSessions(t *testing.T) {
	c := newCable(t)
	peer := newScriptedPeer(t, c)
	r := start(t, announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(50*ms, 20)})
	mine := peer.bringUp()
	r.up("tor")
	random := rand.New(rand.NewPCG(1, 2))
	packet := make([]byte, 60)
	for range 20_000 {
		for i := range packet {
			packet[i] = byte(random.Uint32())
		}
		switch random.IntN(4) {
		case 0: // A valid packet for no session.
			p := peerPacket(bfdsession.State(random.IntN(4)), max(1, random.Uint32()))
			p.Poll = true
			peer.send(p)
		case 1: // A packet for our session, with intervals that always change.
			p := peerPacket(bfdsession.Up, mine)
			p.Poll, p.Final, p.Demand = random.IntN(2) == 0, random.IntN(2) == 0, random.IntN(2) == 0
			p.DesiredMinTx, p.RequiredMinRx = time.Second, time.Duration(random.Uint32())*time.Microsecond
			peer.send(p)
		default:
			peer.write(packet[:random.IntN(len(packet))])
		}
	}
	last := peerPacket(bfdsession.Up, mine)
	last.RequiredMinRx = 77 * ms
	peer.send(last)
	r.await("tor", "obeys the last packet", func(s Status) bool { return s.TransmitInterval == 77*ms })
	sent := testutil.ToFloat64(r.metrics.sent)
	netnstest.Eventually(t, "we go on to send", func() error {
		if testutil.ToFloat64(r.metrics.sent) < sent+5 {
			return errors.New("we do not")
		}
		return nil
	})
	if s := r.status("tor"); s.State != bfdsession.Up || s.Downs != 0 {
		t.Errorf("%+v", s)
	}
}

// TestMonitor_MinimumTTL is RFC 5883 section 5, through a router: our namespace forwards between two others.
func TestMonitor_MinimumTTL(t *testing.T) {
	left, right := newCable(t), newCable(t)
	forward(t)
	left.Other.Run(t, "ip", "route", "add", "default", "via", left.Ours.String())
	right.Other.Run(t, "ip", "route", "add", "default", "via", right.Ours.String())
	near := announce.BFDSession{Name: "tor", Peer: right.Theirs, MultiHop: true, Profile: profile(50*ms, 20)}
	far := announce.BFDSession{Name: "node", Peer: left.Theirs, Local: right.Theirs, MultiHop: true, Profile: profile(50*ms, 20)}
	a, b := startIn(t, left.Other, near), startIn(t, right.Other, far)
	a.up("tor")
	b.up("node")

	near.Profile.MinimumTTL = 255 // The peer is farther away.
	a.set(near)
	if s := a.down("tor"); s.Diag != bfdsession.DiagDetectionTimeExpired {
		t.Errorf("%+v", s)
	}
	if n := testutil.ToFloat64(a.metrics.dropped[dropTTL]); n == 0 {
		t.Error("nothing was dropped")
	}
	a.await("tor", "says why", func(s Status) bool {
		return s.Problem == "packets from the peer come with a TTL of 254, and are not accepted below 255"
	})
	near.Profile.MinimumTTL = 254
	a.set(near)
	a.up("tor")
}

// A router whose packets are authenticated drops ours, and nobody would find out why from a session that is just down.
func TestMonitor_SaysThatThePeerAuthenticates(t *testing.T) {
	c := newCable(t)
	peer := newScriptedPeer(t, c)
	r := startAgain(t, announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(300*ms, 3)})
	plain := peerPacket(bfdsession.Down, 0)
	authenticated := append(plain.Append(nil), 1, 9, 1, 's', 'e', 'c', 'r', 'e', 't') // RFC 5880 section 4.2: a simple password.
	authenticated[1] |= 0x04
	authenticated[3] = byte(len(authenticated))
	peer.ttl(254)
	peer.write(authenticated)
	peer.send(plain)
	r.await("tor", "has dropped both", func(s Status) bool { return strings.Contains(s.Problem, "TTL of 254") })
	peer.ttl(255)
	peer.write(authenticated)
	r.await("tor", "says why", func(s Status) bool { return strings.Contains(s.Problem, "packets from the peer are authenticated") })
	peer.send(plain)
	r.await("tor", "says so no more", func(s Status) bool { return s.Problem == "" })
}

func forward(t *testing.T) {
	t.Helper()
	writeSysctl(t, "ipv4/ip_forward", "1")
	writeSysctl(t, "ipv6/conf/all/forwarding", "1")
}
