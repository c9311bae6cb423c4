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

func TestBIRD_DoesNotNoticeARestartWithinTheDetectionTime(t *testing.T) {
	c := newCable(t)
	neighbor := fmt.Sprintf("%s dev \"%s\" local %s", c.Ours, c.Far, c.Theirs)
	router := startBIRD(t, c, birdBFD(neighbor, `interface "*"`, 300, 12))
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs, Profile: profile(300*ms, 12)}
	r := start(t, wanted)
	r.up("tor")
	router.has(c.Ours, "Up", "", "")
	since := func() string {
		output, err := router.Ask("show bfd sessions")
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(output, c.Ours.String())
		return strings.Join(strings.Fields(line)[1:3], " ") // state and since
	}
	before := since()
	r.crash(c)
	r = startAgain(t, wanted)
	r.await("tor", "is settled", func(s Status) bool { return s.Settled })
	r.up("tor")
	if now := since(); now != before || !strings.HasPrefix(now, "Up") {
		t.Errorf("it was %q, and is %q", before, now)
	}
	if s := r.status("tor"); s.Downs != 0 {
		t.Errorf("%+v", s)
	}
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
