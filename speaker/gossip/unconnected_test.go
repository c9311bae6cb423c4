package gossip

import (
	"errors"
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
	failed := errors.New("dial tcp 127.0.0.1:7946: connect: connection refused")
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
		{"in another way", 3 * time.Second, errors.New("i/o timeout"), "TCP does not get through to a at 127.0.0.1:7946 (nothing answers), datagrams do: is the TCP port blocked?"},
		{"one that succeeds", 4 * time.Second, nil, ""},
		{"the first failure again", 9 * time.Second, failed, ""},
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
