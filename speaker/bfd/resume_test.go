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

// crash ends a Monitor so that the peer hears nothing of it.
func (r *running) crash(c *cable) {
	r.t.Helper()
	c.Other.Run(r.t, "nft", "add table inet crash")
	c.Other.Run(r.t, "nft", "add chain inet crash in { type filter hook input priority -300; policy drop; }")
	r.end()
	c.Other.Run(r.t, "nft", "delete table inet crash")
}

// downs is how often FRR's session with our address was down.
func (f *frr) downs(addr netip.Addr) int {
	f.t.Helper()
	output, err := f.try("show bfd peers counters json")
	var all []struct {
		Peer  string
		Downs int `json:"session-down"`
	}
	if err == nil {
		err = json.Unmarshal([]byte(output), &all)
	}
	for _, p := range all {
		if p.Peer == addr.String() {
			return p.Downs
		}
	}
	f.t.Fatalf("FRR has no session with %s: %v: %s", addr, err, output)
	return 0
}

// A process that is back within the Detection Time must not be noticed: FRR and BIRD would drop the routes of the BGP session
// that it has by then.
func TestFRR_DoesNotNoticeARestartWithinTheDetectionTime(t *testing.T) {
	c := newCable(t)
	router := startFRR(t, c, "peer "+c.Ours.String(), intervals, "exit")
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(300*ms, 12)}
	r := start(t, wanted)
	r.up("tor")
	router.up(c.Ours)
	before := router.downs(c.Ours)
	began := time.Now()
	r.crash(c)
	r = startAgain(t, wanted)
	r.await("tor", "is settled", func(s Status) bool { return s.Settled })
	t.Logf("ended and resumed in %v", time.Since(began).Round(ms))
	r.up("tor")
	router.up(c.Ours)
	if now := router.downs(c.Ours); now != before {
		t.Errorf("FRR's session was down %d times, and now %d times", before, now)
	}
	if s := r.status("tor"); s.Downs != 0 || len(r.onDownCalls()) > 0 {
		t.Errorf("%+v", s)
	}
	t.Run("and goes on with other parameters", func(*testing.T) {
		wanted.Profile = profile(150*ms, 6)
		r.crash(c)
		r = startAgain(t, wanted)
		r.up("tor")
		router.peer(c.Ours, "has them", func(p frrPeer) bool {
			return p.Status == "up" && p.RemoteTx == 150 && p.RemoteRx == 150 && p.RemoteMult == 6
		})
		if now := router.downs(c.Ours); now != before {
			t.Errorf("FRR's session was down %d times, and now %d times", before, now)
		}
	})
}

// since is the state of BIRD's session with our address, and since when it has it.
func (b *bird) since(addr netip.Addr) string {
	b.t.Helper()
	output, err := b.Ask("show bfd sessions")
	if err != nil {
		b.t.Fatal(err)
	}
	_, line, _ := strings.Cut(output, addr.String())
	return strings.Join(strings.Fields(line)[1:3], " ")
}

func TestBIRD_DoesNotNoticeARestartWithinTheDetectionTime(t *testing.T) {
	c := newCable(t)
	neighbor := fmt.Sprintf("%s dev \"%s\" local %s", c.Ours, c.Far, c.Theirs)
	router := startBIRD(t, c, birdBFD(neighbor, `interface "*"`, 300, 12))
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(300*ms, 12)}
	r := start(t, wanted)
	r.up("tor")
	router.has(c.Ours, "Up", "", "")
	before := router.since(c.Ours)
	r.crash(c)
	r = startAgain(t, wanted)
	r.await("tor", "is settled", func(s Status) bool { return s.Settled })
	r.up("tor")
	if now := router.since(c.Ours); now != before || !strings.HasPrefix(now, "Up") {
		t.Errorf("it was %q, and is %q", before, now)
	}
	if s := r.status("tor"); s.Downs != 0 {
		t.Errorf("%+v", s)
	}
}

// restart ends a Monitor that another follows, and returns when more time has passed than the peer waited for packets before.
func (r *running) restart(detection time.Duration) {
	r.t.Helper()
	r.Restarts(true)
	r.end()
	ended := time.Now()
	netnstest.Eventually(r.t, "the Detection Time of before has passed", func() error {
		if passed := time.Since(ended); passed < detection*3/2 {
			return fmt.Errorf("%v have", passed)
		}
		return nil
	})
}

// A process that is told to end because another follows must not be noticed either, however short the Detection Time.
func TestFRR_DoesNotNoticeARestart(t *testing.T) {
	c := newCable(t)
	router := startFRR(t, c, "peer "+c.Ours.String(), intervals, "exit")
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(300*ms, 3)}
	r := start(t, wanted)
	r.up("tor")
	router.up(c.Ours)
	before := router.downs(c.Ours)
	for range 2 {
		r.restart(900 * ms)
		router.peer(c.Ours, "waits for 30 s", func(p frrPeer) bool { return p.Status == "up" && p.RemoteTx == 10000 && p.RemoteMult == 3 })
		r = startAgain(t, wanted)
		r.up("tor")
		router.peer(c.Ours, "waits as before", func(p frrPeer) bool { return p.Status == "up" && p.RemoteTx == 300 })
	}
	if now := router.downs(c.Ours); now != before {
		t.Errorf("FRR's session was down %d times, and now %d times", before, now)
	}
	t.Run("and notices a process that leaves", func(_ *testing.T) {
		r.end()
		router.peer(c.Ours, "is down", func(p frrPeer) bool { return p.Status == "down" })
	})
}

func TestBIRD_DoesNotNoticeARestart(t *testing.T) {
	c := newCable(t)
	neighbor := fmt.Sprintf("%s dev \"%s\" local %s", c.Ours, c.Far, c.Theirs)
	router := startBIRD(t, c, birdBFD(neighbor, `interface "*"`, 300, 3))
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(300*ms, 3)}
	r := start(t, wanted)
	r.up("tor")
	router.has(c.Ours, "Up", "", "")
	before := router.since(c.Ours)
	r.restart(900 * ms)
	router.has(c.Ours, "Up", "", "30.000")
	r = startAgain(t, wanted)
	r.up("tor")
	router.has(c.Ours, "Up", "", "0.900")
	if now := router.since(c.Ours); now != before {
		t.Errorf("it was %q, and is %q", before, now)
	}
}

// A peer that does not answer in time is told that the session ends.
func TestMonitor_RestartBesideAPeerThatDoesNotAnswer(t *testing.T) {
	c := newCable(t)
	peer := newScriptedPeer(t, c)
	r := start(t, announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(300*ms, 3)})
	ours := peer.bringUp()
	r.up("tor")
	r.Restarts(true)
	go r.end()
	peer.await("a poll", func(p *bfdsession.Packet) bool {
		peer.send(peerPacket(bfdsession.Up, ours)) // without Final
		return p.Poll && p.DesiredMinTx == 10*time.Second
	})
	peer.await("AdminDown", func(p *bfdsession.Packet) bool { return p.State == bfdsession.AdminDown })
}

// A peer that has noticed, or never knew of us, gets a new session.
func TestMonitor_BeginsAnewWhereNothingCanBeResumed(t *testing.T) {
	c := newCable(t)
	peer := newScriptedPeer(t, c)
	r := startAgain(t, announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(300*ms, 3)})
	if s := r.status("tor"); s.Settled {
		t.Errorf("%+v", s)
	}
	began := time.Now()
	discriminator := peer.bringUp()
	if took := time.Since(began); took < minListenTime/2 {
		t.Errorf("it has listened for %v", took)
	}
	r.up("tor")
	if s := r.status("tor"); !s.Settled {
		t.Errorf("%+v", s)
	}
	// From now on packets to another session are nobody's, as RFC 5880 section 6.8.6 has it.
	peer.send(peerPacket(bfdsession.Up, discriminator+1))
	peer.send(peerPacket(bfdsession.Up, discriminator))
	r.await("tor", "is as it was", func(s Status) bool { return s.State == bfdsession.Up && s.Downs == 0 })
}

// A peer that is not the session's, or too far away, resumes nothing.
func TestMonitor_ResumesForItsPeerAlone(t *testing.T) {
	c := newCable(t)
	peer := newScriptedPeer(t, c)
	r := startAgain(t, announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(1500*ms, 3)})
	peer.ttl(254)
	peer.send(peerPacket(bfdsession.Up, 4711))
	r.await("tor", "has dropped it", func(s Status) bool { return strings.Contains(s.Problem, "TTL of 254") })
	if s := r.status("tor"); s.State != bfdsession.Down || s.Settled {
		t.Errorf("%+v", s)
	}
	peer.ttl(255)
	peer.send(peerPacket(bfdsession.Up, 4711))
	resumed := peer.await("that we are up", func(p *bfdsession.Packet) bool { return p.State == bfdsession.Up })
	if resumed.MyDiscriminator != 4711 || !resumed.Poll {
		t.Errorf("it sends %+v", resumed)
	}
	if s := r.status("tor"); s.Settled {
		t.Errorf("before the peer has answered: %+v", s)
	}
	answer := peerPacket(bfdsession.Up, 4711)
	answer.Final = true
	peer.send(answer)
	r.await("tor", "is settled", func(s Status) bool { return s.Settled && s.State == bfdsession.Up })
}
