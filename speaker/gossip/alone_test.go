package gossip

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
)

// A speaker whose datagrams arrive and which receives none takes the others for dead. They take it for dead, too, and not its word.
func TestMembership_WhoHearsNobodyCountsForNothing(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.9.0.", withSlowProbes(), "a", "b", "c")
	on.deafen(all[0])
	began := time.Now()
	for _, s := range all[1:] {
		s.awaits(t, "without it", alive("b", "c"))
	}
	t.Logf("after %v", time.Since(began))
	all[0].awaits(t, "nobody", alive("a"))
	if why := all[1].View().Why; !strings.Contains(why, "no other speaker is heard by a, ") {
		t.Errorf("b says %q", why)
	}

	claims := all[0].claims("192.0.2.1", "192.0.2.2")
	all[0].BroadcastClaims(claims)
	since := time.Now()
	eventually(t, "it is heard all the same", func() bool { return all[1].heardSince(all[0], since) && all[2].heardSince(all[0], since) })
	for _, s := range all[1:] {
		if known := s.View().Claims; len(known) > 0 {
			t.Errorf("%s knows of %v", s.cfg.Node, known)
		}
	}

	on.heal()
	for _, s := range all {
		s.awaits(t, "all, and the claims", func(v View) bool { return alive("a", "b", "c")(v) && has(claims)(v) })
	}
	if why := all[1].View().Why; strings.Contains(why, "no other speaker is heard") {
		t.Error(why)
	}
}

// Who returns sends what its kernel has kept: that nobody answers it. The others have not been stopped, and go on as they are.
func TestMembership_WhoWasGoneHasNobodyAskWhetherItWasReplaced(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.9.2.", Timing{}, "a", "b", "c")
	b := all[1]
	says := func() {
		t.Helper()
		h := all[0].peers.headerTo("b", kindPing)
		p := ping{number: 1 << 30, at: all[0].at, unanswered: b.cfg.Timing.HeartbeatMultiplier}
		if !b.receive(encode(h, p.append(nil, h.version)), byDatagram) {
			t.Fatal("it is malformed")
		}
	}
	eventually(t, "it is not stale", func() bool { return !b.Stale() })
	on.part(all[0], all[1:]...)
	b.awaits(t, "that a is gone", alive("b", "c"))
	if says(); b.pause.stale() {
		t.Error("it asks whether it was replaced")
	}
	if says(); b.pause.stale() {
		t.Error("it does when a is back")
	}
	on.heal()
	b.awaits(t, "a", alive("a", "b", "c"))
	eventually(t, "it believes a again", func() bool { says(); return b.pause.stale() })
}

// What was recorded while it was alone says nothing later, and its claims neither.
func TestMembership_RecordedMessageOfOneThatWasAloneIsNotHeeded(t *testing.T) {
	all := gather(t, newNetwork(), "127.9.1.", withSlowProbes(), "a", "b")
	h := all[0].peers.headerTo("b", kindClaims)
	h.alone, h.seq = true, 1
	claims := []election.Claim{{Addr: all[0].claims("192.0.2.1")[0].Addr, Node: "a", Incarnation: h.incarnation, Term: 9}}
	for range 2 {
		if !all[1].receive(encode(h, claimsMessage{claims: claims}.append(nil, h.version)), byMemberlist) {
			t.Fatal("it is malformed")
		}
	}
	if view := all[1].View(); !slices.Equal(view.Alive, []string{"a", "b"}) || len(view.Claims) > 0 {
		t.Errorf("alive are %v, claims %v", view.Alive, view.Claims)
	}
}

// Messages change places on their way: what the sender said last of itself is what it says.
func TestReceive_AloneIsWhatTheLatestMessageSays(t *testing.T) {
	m := New(Config{Node: "self", Keys: secrets("k")})
	m.peers.setListed(begins, "a", listing{1, versionRange{version1, newest}, gossipAt("127.0.0.1")}, true)
	m.peers.setListed(begins, "third", listing{1, versionRange{version1, newest}, gossipAt("127.0.0.2")}, true)
	m.peers.withDetector(func(d *detector.Detector) {
		now := time.Now()
		for at := now.Add(-time.Second); at.Before(now); at = at.Add(10 * time.Millisecond) { // They have met long ago.
			d.Tick(at)
			d.Heard(at, "a", 1, true)
			d.Heard(at, "third", 1, true)
		}
	})
	deaf := func() (deaf bool) {
		m.peers.withDetector(func(d *detector.Detector) { deaf = d.Deaf("a") })
		return deaf
	}
	for _, step := range []struct {
		name  string
		seq   uint64
		alone bool
		want  bool
	}{
		{"it hears somebody", 2, false, false},
		{"what it said before comes late", 1, true, false},
		{"it hears nobody", 4, true, true},
		{"what it said before comes late", 3, false, true},
		{"it hears somebody again", 5, false, false},
	} {
		h := header{version: newest, kind: kindVotes, node: "a", incarnation: 1, to: "self", toIncarnation: m.Incarnation(), seq: step.seq, alone: step.alone}
		if !m.receive(encode(h, votes{}.append(nil, newest)), byDatagram) {
			t.Fatal("it is malformed")
		}
		if got := deaf(); got != step.want {
			t.Errorf("%s (%d): deaf: %v", step.name, step.seq, got)
		}
	}
}
