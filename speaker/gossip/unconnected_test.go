package gossip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// A firewall that lets datagrams through and no TCP, in the middle of things: memberlist finds nobody dead, and nothing else fails.
func TestMembership_SaysThatConnectionsDoNotGetThrough(t *testing.T) {
	on := newNetwork()
	timing, _ := Preset(Fast, true)
	timing.PushPullInterval, timing.TCPTimeout = 200*ms, 500*ms
	all := gather(t, on, "127.10.0.", timing, "a", "b", "c")
	a, b, c := all[0], all[1], all[2]
	on.disconnect(c.at.Addr(), true)
	const want = "TCP does not get through to c at 127.10.0.3:7946 (nothing answers), datagrams do: is the TCP port blocked?"
	for _, s := range all[:2] {
		s.awaits(t, "it says so", func(v View) bool { return alive("a", "b", "c")(v) && v.Why == want })
	}
	c.awaits(t, "so does c", func(v View) bool {
		return strings.Contains(v.Why, "TCP does not get through to a at") && strings.Contains(v.Why, ", b at") && v.CannotConnect
	})
	if a.View().CannotConnect || b.View().CannotConnect {
		t.Error("it takes itself for the one behind the firewall")
	}
	on.disconnect(c.at.Addr(), false)
	for _, s := range all {
		s.awaits(t, "all is well", func(v View) bool { return v.Why == "" && !v.CannotConnect })
	}
}

func TestPeerStore_OneFailureToConnectIsNothing(t *testing.T) {
	m := New(Config{Node: "self", Keys: secrets("k")})
	at := gossipAt("127.0.0.1")
	m.Set(map[string]ExpectedPeer{"a": {Address: at}})
	failed, silent := errors.New("dial tcp 127.0.0.1:7946: connect: connection refused"), errors.New("i/o timeout")
	said := func() string { return whyUnconnected(m.peers.snapshot().unconnected) }
	for after := range 10 {
		m.peers.dialed(begins.Add(time.Duration(after)*time.Second), at.String(), failed)
	}
	m.peers.setListed(begins, "a", listing{1, versionRange{version1, newest}, at}, true)
	if _, _, any := m.peers.nextToConnect(); any || said() != "" {
		t.Errorf("of one that was not alive: %q", said())
	}
	for _, test := range []struct {
		name  string
		after time.Duration
		err   error
		says  string
	}{
		{"the first failure", 0, failed, ""},
		{"another one soon after", time.Second, failed, ""},
		{"after two seconds", 2 * time.Second, failed, "TCP does not get through to a at 127.0.0.1:7946 (the connection is refused), datagrams do: is the TCP port blocked?"},
		{"silence between refusals", 3 * time.Second, silent, "TCP does not get through to a at 127.0.0.1:7946 (the connection is refused), datagrams do: is the TCP port blocked?"},
		{"silence for long", 32 * time.Second, silent, "TCP does not get through to a at 127.0.0.1:7946 (nothing answers), datagrams do: is the TCP port blocked?"},
		{"a refusal again", 33 * time.Second, failed, "TCP does not get through to a at 127.0.0.1:7946 (the connection is refused), datagrams do: is the TCP port blocked?"},
		{"one that succeeds", 34 * time.Second, nil, ""},
		{"the first failure again", 39 * time.Second, failed, ""},
	} {
		before := said()
		if changed := m.peers.dialed(begins.Add(test.after), at.String(), test.err); said() != test.says || changed != (before != test.says) {
			t.Errorf("%s: it says %q, want %q; changed: %v", test.name, said(), test.says, changed)
		}
		node, to, any := m.peers.nextToConnect()
		if any != (test.err != nil) || any && (node != "a" || to != at) {
			t.Errorf("%s: tried next are %q at %v", test.name, node, to)
		}
	}
	if m.peers.dialed(begins, "192.0.2.1:7946", failed) {
		t.Error("where nobody is, nothing changes")
	}
}

// An attempt that fails as a speaker crashes is the last one to that run of it, and may have been an hour ago when the next one refuses one.
func TestPeerStore_AFailureToConnectIsOfOneRun(t *testing.T) {
	at, failed := gossipAt("127.0.0.1"), errors.New("dial tcp 127.0.0.1:7946: connect: connection refused")
	for name, again := range map[string]uint64{"the next run": 2, "it was only silent": 1} {
		t.Run(name, func(t *testing.T) {
			m := New(Config{Node: "self", Keys: secrets("k")})
			m.Set(map[string]ExpectedPeer{"a": {Address: at}})
			listed := func(after time.Duration, incarnation uint64, is bool) {
				m.peers.setListed(begins.Add(after), "a", listing{incarnation, versionRange{version1, newest}, at}, is)
				m.peers.takeOutcome(begins.Add(after))
			}
			listed(0, 1, true)
			m.peers.dialed(begins, at.String(), failed)
			listed(time.Second, 1, false)
			listed(time.Hour, again, true)
			if !slices.Contains(m.peers.snapshot().alive, "a") || m.peers.byDatagramOnly("a") {
				t.Error("it is not alive, or connections are said not to get through to it")
			}
			m.peers.dialed(begins.Add(time.Hour), at.String(), failed)
			if unconnected := m.peers.snapshot().unconnected; len(unconnected) > 0 {
				t.Errorf("after one failure: %v", unconnected)
			}
			m.peers.dialed(begins.Add(time.Hour+unconnectedTimeout), at.String(), failed)
			if unconnected := m.peers.snapshot().unconnected; len(unconnected) != 1 {
				t.Errorf("after some time of failures: %v", unconnected)
			}
		})
	}
}

// A speaker that starts again behind such a firewall: memberlist, which has given it up meanwhile, neither takes it back nor tells it of others.
func TestMembership_ARestartWithoutTCPComesToTheSameVersion(t *testing.T) {
	on := newNetwork()
	all := gather(t, on, "127.10.1.", withoutExchanges(), "a", "b", "c")
	b, c := all[1], all[2]
	b.BroadcastState(State{Known: true, PassesOn: true})
	claims := b.claims("192.0.2.1", "192.0.2.2")
	b.BroadcastClaims(claims)
	on.disconnect(all[0].at.Addr(), true)
	on.keepGossip(all[0].at.Addr()) // which memberlist sends to the dead as well for a while: by chance it would know a again
	all[0].crash(t)
	for _, s := range all[1:] {
		eventually(t, "memberlist has given it up", func() bool { return !s.isListed("a") })
	}
	a := beginWith(t, Config{Node: "a", Bind: all[0].at, Keys: secrets("k"), Timing: withoutExchanges()}, on)
	meet(t, a, b, c)
	a.BroadcastState(State{Known: true, PassesOn: true})
	own := a.claims("192.0.2.3") // It has not announced the address, which version 1 cannot say.
	a.BroadcastClaims(own)
	whole := func(of string) func(View) bool {
		return func(v View) bool {
			p := v.Peers[of]
			return alive("a", "b", "c")(v) && v.Version == int(newest) && p.Version == int(newest) && p.StateKnown && !p.Partial && p.State.PassesOn
		}
	}
	a.awaits(t, "b in all that it says", func(v View) bool { return whole("b")(v) && has(claims)(v) })
	for _, s := range all[1:] {
		s.awaits(t, "a in all that it says", func(v View) bool { return whole("a")(v) && has(own)(v) })
	}
	// What does not fit in a datagram comes all the same, in both directions, and what datagrams lose.
	random := rand.New(rand.NewPCG(1, 2))
	on.lose(func(size int) bool { return size > 600 && random.IntN(4) == 0 })
	large := manyLinks(100)
	for _, s := range []*speaker{a, c} {
		s.BroadcastState(large)
	}
	many := manyClaims(3000)
	for i := range many {
		many[i].Node, many[i].Incarnation = "c", c.Incarnation()
	}
	c.BroadcastClaims(many)
	b.awaits(t, "the large state of a", func(v View) bool { return len(v.Peers["a"].State.Links) == len(large.Links) })
	a.awaits(t, "the large state of c", func(v View) bool { return len(v.Peers["c"].State.Links) == len(large.Links) })
	t.Logf("a has all claims after %v more", a.awaits(t, "all claims", has(many)))
	if a.isListed("b") || b.isListed("a") {
		t.Error("memberlist knows of it, so this test is of no use")
	}
}

// All start at once, and none of them can connect to another, so none has ever heard which versions the others understand.
func TestMembership_VersionsAreKnownWithoutAnyTCP(t *testing.T) {
	on := newNetwork()
	for _, addr := range []string{"127.10.2.1", "127.10.2.2"} {
		on.disconnect(gossipAt(addr).Addr(), true)
	}
	all := gatherUnlisted(t, on, "127.10.2.", "a", "b")
	for i, s := range all {
		other := all[1-i].cfg.Node
		s.awaits(t, "the version of the other", func(v View) bool { return v.Peers[other].Version == int(newest) && v.Version == int(newest) })
	}
}

// gatherUnlisted is gather for speakers that memberlist does not bring together.
func gatherUnlisted(t *testing.T, on *network, prefix string, nodes ...string) []*speaker {
	t.Helper()
	var all []*speaker
	for i, node := range nodes {
		at := gossipAt(fmt.Sprint(prefix, i+1))
		all = append(all, beginWith(t, Config{Node: node, Bind: at, Keys: secrets("k"), Timing: withoutExchanges()}, on))
	}
	meet(t, all...)
	for _, s := range all {
		s.awaits(t, "all", alive(nodes...))
	}
	return all
}

func TestPeerVersion_IsLearnedFromWhatComes(t *testing.T) {
	message := func(v version, incarnation uint64, speaks versionRange) header {
		return header{version: v, node: "a", incarnation: incarnation, speaks: speaks}
	}
	for _, test := range []struct {
		name string
		have peerVersion
		from header
		want versionRange
	}{
		{"what it says", peerVersion{}, message(version2, 1, versionRange{1, 3}), versionRange{1, 3}},
		{"what it says of versions that we do not know", peerVersion{}, message(version2, 1, versionRange{2, 9}), versionRange{2, 9}},
		{"one of before speaks what it understands", peerVersion{}, message(version3, 1, versionRange{}), versionRange{1, 3}},
		{"version 1 says nothing", peerVersion{}, message(version1, 1, versionRange{}), versionRange{}},
		{"nor does it of one that is known", peerVersion{versions: versionRange{1, 3}, ofRun: 1}, message(version1, 2, versionRange{}), versionRange{1, 3}},
		{"it was upgraded", peerVersion{versions: versionRange{1, 2}, ofRun: 1}, message(version2, 2, versionRange{1, 3}), versionRange{1, 3}},
		{"it was put back", peerVersion{versions: versionRange{1, 3}, ofRun: 1}, message(version2, 2, versionRange{1, 2}), versionRange{1, 2}},
		{"a recorded message of an earlier run", peerVersion{versions: versionRange{1, 3}, ofRun: 2}, message(version2, 1, versionRange{1, 2}), versionRange{1, 3}},
		{"it speaks less to us than it can", peerVersion{versions: versionRange{1, 3}, ofRun: 1}, message(version2, 1, versionRange{}), versionRange{1, 3}},
	} {
		p := test.have
		if news := p.learn(test.from); p.versions != test.want || news != (test.have.versions != test.want) {
			t.Errorf("%s: %v, news: %v", test.name, p.versions, news)
		}
	}
}

// One of version 1 answers pings of version 1, and never what it is greeted with.
func TestPeerStore_WhoAnswersInVersion1AloneIsOfVersion1(t *testing.T) {
	m := New(Config{Node: "self", Keys: secrets("k")})
	m.Set(map[string]ExpectedPeer{"a": {Address: gossipAt("127.0.0.1")}})
	old := header{version: version1, node: "a", incarnation: 7}
	for range maxOldAnswers {
		if _, unknown := m.peers.greeting("a"); !unknown {
			t.Fatal("it is greeted no more")
		}
		m.peers.noteOldAnswer(old)
	}
	if _, unknown := m.peers.greeting("a"); unknown || m.peers.judge(begins, old) != fresh {
		t.Error("it is not taken for one of version 1")
	}
	m.peers.judge(begins, header{version: version2, node: "a", incarnation: 7, speaks: versionRange{1, 3}})
	if h := m.peers.headerTo("a", kindPing); h.version != version3 || h.speaks != (versionRange{oldest, newest}) {
		t.Errorf("after all it says what it understands, and is spoken to in version %d", h.version)
	}
}

// A speaker that is back before memberlist has given it up: the others have not lost it, so nothing but its new incarnation tells them that
// it knows nothing. It must not begin before it has heard what they hold.
func TestMembership_ARestartWithoutTCPWaitsForTheClaimsOfOthers(t *testing.T) {
	for i, test := range []struct {
		name string
		lost int // How many of the first datagrams with claims.
	}{{"nothing is lost", 0}, {"the first claims are lost", 4}} {
		t.Run(test.name, func(t *testing.T) {
			on := newNetwork()
			all := gather(t, on, fmt.Sprintf("127.10.%d.", 20+i), withSlowProbes(), "a", "b", "c")
			b, c := all[1], all[2]
			claims := manyClaims(60)
			for i := range claims {
				of := all[1+i%2]
				claims[i].Node, claims[i].Incarnation = of.cfg.Node, of.Incarnation()
				of.BroadcastClaims(claims[i : i+1])
			}
			for _, s := range all {
				s.awaits(t, "all claims", has(claims))
			}
			on.disconnect(all[0].at.Addr(), true)
			all[0].crash(t)
			left := test.lost
			on.lose(func(size int) bool {
				lost := left > 0 && size > 400 // Other messages are shorter.
				if lost {
					left--
				}
				return lost
			})
			a := beginWith(t, Config{Node: "a", Bind: all[0].at, Keys: secrets("k"), Timing: withSlowProbes()}, on)
			meet(t, a, b, c)
			a.awaits(t, "all others", alive("a", "b", "c"))
			took := a.awaits(t, "that nothing is missing", func(v View) bool {
				if !v.ClaimsMissing && !has(claims)(v) {
					t.Errorf("it says so with %d of %d claims", len(v.Claims), len(claims))
				}
				return !v.ClaimsMissing
			})
			t.Logf("after %v", took)
			if left > 0 {
				t.Errorf("%d less were lost, so this test is of no use", left)
			}
			if !b.isListed("a") {
				t.Error("memberlist has given it up, so this test is of no use")
			}
		})
	}
}
