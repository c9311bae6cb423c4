package gossip

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
)

// recorder is a transport that keeps the datagrams that it sends, as anybody on the segment can.
type recorder struct {
	memberlist.NodeAwareTransport

	mu   sync.Mutex
	kept map[string][][]byte
}

func (r *recorder) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	r.mu.Lock()
	r.kept[to.Addr] = append(r.kept[to.Addr], slices.Clone(b))
	r.mu.Unlock()
	return r.NodeAwareTransport.WriteToAddress(b, to)
}

func (r *recorder) drain() { r.NodeAwareTransport.(*transport).drain() }

func (r *recorder) sentTo(s *speaker) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.kept[s.at.String()])
}

// recording has a speaker's datagrams recorded.
func recording(m *Membership) *recorder {
	r := &recorder{kept: map[string][][]byte{}}
	m.listen = func(at netip.AddrPort, log *slog.Logger, guard *guard, sealed receiver) (transport memberlist.NodeAwareTransport, err error) {
		r.NodeAwareTransport, err = listen(at, log, guard, sealed)
		return r, err
	}
	return r
}

// All that a speaker has sent is sent again after its death, from its own address, much faster than it was.
func TestHeartbeats_ReplayedDatagramsKeepNobodyAlive(t *testing.T) {
	var kept *recorder
	cfg := func(node, at string) Config {
		return Config{Node: node, Bind: gossipAt(at), Keys: secrets("k"), Timing: patient()}
	}
	a, b := beginWith(t, cfg("a", "127.5.0.1"), nil), beginWith(t, cfg("b", "127.5.0.2"), nil)
	c := beginChanged(t, cfg("c", "127.5.0.3"), func(m *Membership) { kept = recording(m) })
	meet(t, a, b, c)
	a.awaits(t, "all", alive("a", "b", "c"))
	heartbeats(t, a, b, c)
	claims := c.claims("192.0.2.1")
	c.BroadcastClaims(claims)
	a.awaits(t, "the claim", has(claims))
	eventually(t, "enough is recorded", func() bool { return len(kept.sentTo(a)) > 60 })

	c.crash(t)
	begin, again := time.Now(), kept.sentTo(a)
	attacker, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(c.at), net.UDPAddrFromAddrPort(a.at))
	if err != nil {
		t.Fatal(err)
	}
	defer attacker.Close()
	replay := func() {
		for _, datagram := range again {
			_, _ = attacker.Write(datagram)
		}
		time.Sleep(20 * ms)
	}
	eventually(t, "it is dead, for all that is sent again", func() bool {
		replay()
		return alive("a", "b")(a.View())
	})
	t.Logf("dead after %v", time.Since(begin))
	for until := time.Now().Add(3 * time.Second); time.Now().Before(until); {
		if replay(); !alive("a", "b")(a.View()) || a.View().Returned > 0 {
			t.Fatalf("%v after its death it is alive again: %v", time.Since(begin), a.View().Alive)
		}
	}
}

// The rules one by one, by the messages of a speaker of version 2.
func TestReceive_OnlyWhatIsNewAndForUsIsASignOfLife(t *testing.T) {
	m := New(Config{Node: "self", Keys: secrets("k")})
	m.peers.setListed(begins, "a", listing{1, versionRange{version1, version2}, gossipAt("127.0.0.1")}, true)
	own, other := m.Incarnation(), m.Incarnation()-1
	heard := func() time.Time {
		var status detector.Status
		m.peers.withDetector(func(d *detector.Detector) { status, _ = d.Peer("a") })
		return status.LastHeard
	}
	ask := ping{number: 5, at: gossipAt("127.0.0.1")}
	m.peers.pinged(77, []memberlist.Address{{Name: "a"}})
	message := func(k kind, to string, toIncarnation, seq uint64, content body) []byte {
		h := header{version: version2, kind: k, node: "a", incarnation: 1, to: to, toIncarnation: toIncarnation, seq: seq}
		return encode(h, content.append(nil, version2))
	}
	inVersion1 := encode(header{version: version1, kind: kindPing, node: "a", incarnation: 1}, ask.append(nil, version1))
	for _, step := range []struct {
		name    string
		message []byte
		counts  bool
	}{
		{"a ping", message(kindPing, "self", own, 100, ask), true},
		{"the same again", message(kindPing, "self", own, 100, ask), false},
		{"a later one", message(kindPing, "self", own, 102, ask), true},
		{"one that was overtaken", message(kindPing, "self", own, 101, ask), true},
		{"and again", message(kindPing, "self", own, 101, ask), false},
		{"one that is far too late", message(kindPing, "self", own, 20, ask), false},
		{"one for another node", message(kindPing, "b", own, 103, ask), false},
		{"one for an earlier run", message(kindPing, "self", other, 104, ask), false},
		{"one without a number", message(kindPing, "self", own, 0, ask), false},
		{"one in version 1, by a speaker that needs not", inVersion1, false},
		{"claims for us", message(kindClaims, "self", own, 105, claimsMessage{}), true},
		{"claims that gossip repeats", message(kindClaims, "", 0, 0, claimsMessage{}), false},
		{"votes", message(kindVotes, "self", own, 106, votes{}), true},
		{"the same votes", message(kindVotes, "self", own, 106, votes{}), false},
		{"a pong that we have not asked for", message(kindPong, "self", own, 107, pong{number: 76}), false},
		{"the pong", message(kindPong, "self", own, 108, pong{number: 77}), true},
		{"the pong in another message", message(kindPong, "self", own, 109, pong{number: 77}), false},
	} {
		before := heard()
		if !m.receive(step.message, byDatagram) {
			t.Errorf("%s cannot be read", step.name)
		}
		if counts := heard().After(before); counts != step.counts {
			t.Errorf("%s: it is a sign of life: %v", step.name, counts)
		}
	}
}

// What was made for one run of ours counts once, by whatever way it comes, and only if the run of its sender has not ended.
func TestReceive_RecordedClaimsDoNotCount(t *testing.T) {
	m := New(Config{Node: "self", Keys: secrets("k")})
	m.peers.setListed(begins, "a", listing{2, versionRange{version1, newest}, gossipAt("127.0.0.1")}, true)
	own := m.Incarnation()
	for i, step := range []struct {
		name                    string
		to                      string
		toIncarnation, from, no uint64
		came                    way
		counts                  bool
	}{
		{"a datagram", "self", own, 2, 100, byDatagram, true},
		{"its number again", "self", own, 2, 100, byDatagram, false},
		{"its number again, by TCP", "self", own, 2, 100, byMemberlist, false},
		{"a message by TCP", "self", own, 2, 101, byMemberlist, true},
		{"one that is older than any that is remembered", "self", own, 2, 20, byDatagram, false},
		{"one for an earlier run of ours", "self", own - 1, 2, 102, byDatagram, false},
		{"one by an earlier run of its sender", "self", own, 1, 103, byDatagram, false},
		{"one for another node", "b", own, 2, 104, byDatagram, false},
		{"one that gossip carries to all", "", 0, 2, 0, byMemberlist, true},
		{"one that comes late", "self", own, 2, 99, byDatagram, true},
	} {
		h := header{version: newest, kind: kindClaims, node: "a", incarnation: step.from, to: step.to, toIncarnation: step.toIncarnation, seq: step.no}
		made := claim("192.0.2.1", "a", uint64(i+1))
		if !m.receive(encode(h, claimsMessage{claims: []election.Claim{made}}.append(nil, newest)), step.came) {
			t.Fatalf("%s cannot be read", step.name)
		}
		if counts := m.View().Claims[made.Addr] == made; counts != step.counts {
			t.Errorf("%s: its claim counts: %v", step.name, counts)
		}
	}
}

// incarnationIn is what memberlist tells a speaker of another one's incarnation.
//
// memberlist gives its nodes away and goes on to change them under a lock that nobody else has. It replaces Meta as a whole, so what is read is
// old at worst; the race detector need not know.
//
//go:norace
func incarnationIn(s *speaker, node string) uint64 {
	for _, member := range s.list.Load().Members() {
		if member.Name == node {
			return incarnationOf(member.Meta)
		}
	}
	return 0
}

// However numbers come, each counts once, unless it is older than the window.
func TestWindow_EachNumberCountsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		counted, highest := map[uint64]bool{}, uint64(0)
		for _, number := range rapid.SliceOf(rapid.Uint64Range(1, 200)).Draw(t, "numbers") {
			want := !counted[number] && (number > highest || highest-number < windowSize)
			if got := w.add(number); got != want {
				t.Fatalf("%d after %d: %v", number, highest, got)
			}
			counted[number], highest = true, max(highest, number)
		}
		for number := range counted {
			if want := highest-number < windowSize; w.remove(number) != want || w.remove(number) {
				t.Fatalf("%d of up to %d", number, highest)
			}
		}
	})
}

// A node whose clock is set back while its speaker does not run. The others remember its run before as the later one, which
// has left.
func TestIncarnation_OneThatLeftReturnsWithAnEarlierClock(t *testing.T) {
	timing := patient()
	timing.PushPullInterval = time.Hour
	cfg := func(node, at string) Config {
		return Config{Node: node, Bind: gossipAt(at), Keys: secrets("k"), Timing: timing}
	}
	a, b, c := beginWith(t, cfg("a", "127.5.1.1"), nil), beginWith(t, cfg("b", "127.5.1.2"), nil), beginWith(t, cfg("c", "127.5.1.3"), nil)
	meet(t, a, b, c)
	for _, s := range []*speaker{a, b, c} {
		s.awaits(t, "all", alive("a", "b", "c"))
	}
	heartbeats(t, a, b, c)
	before := c.Incarnation()
	c.leave(t)
	a.awaits(t, "c has left", alive("a", "b"))
	b.awaits(t, "c has left", alive("a", "b"))

	c = beginChanged(t, cfg("c", "127.5.1.3"), func(m *Membership) {
		m.peers.own.incarnation = before - uint64(time.Hour)
	})
	meet(t, a, b, c)
	again := func(v View) bool { return alive("a", "b", "c")(v) && v.Peers["c"].Incarnation == c.Incarnation() }
	for _, s := range []*speaker{a, b, c} {
		s.awaits(t, "c is back", again)
	}
	if c.Incarnation() <= before {
		t.Errorf("incarnation %d after %d", c.Incarnation(), before)
	}
	eventually(t, "memberlist tells it", func() bool { return incarnationIn(a, "c") == c.Incarnation() })
	// A newcomer that never knew the run before learns the same, and it stays so.
	d := beginWith(t, cfg("d", "127.5.1.4"), nil)
	meet(t, a, b, c, d)
	settled := func(v View) bool {
		return alive("a", "b", "c", "d")(v) && v.Peers["c"].Incarnation == c.Incarnation()
	}
	for _, s := range []*speaker{a, b, c, d} {
		s.awaits(t, "all four", settled)
	}
	for until := time.Now().Add(2500 * ms); time.Now().Before(until); time.Sleep(10 * ms) {
		for _, s := range []*speaker{a, b, c, d} {
			if v := s.View(); !settled(v) || v.Returned > 0 {
				t.Fatalf("%s sees %v, c as %d (it is %d), %d returned", s.cfg.Node, v.Alive, v.Peers["c"].Incarnation, c.Incarnation(), v.Returned)
			}
		}
	}
}
