package gossip

import (
	"net/netip"
	"testing"
)

// Routers act within milliseconds on what another node has just told us, so it must not wait for passes of other causes.
func TestMembership_TrafficThatTurnsIsUrgent(t *testing.T) {
	first, second := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
	m := New(Config{Node: "self"})
	m.peers.setListed(begins, "a", listing{incarnation: 1, at: gossipAt("127.0.0.1")}, true)
	for i, step := range []struct {
		name   string
		state  State
		urgent bool
	}{
		{"it begins", State{Draining: []netip.Addr{first}, Sessions: 1}, false},
		{"something else changes", State{Known: true, Draining: []netip.Addr{first}, Sessions: 1}, false},
		{"it leaves one more address", State{Known: true, Draining: []netip.Addr{first, second}, Sessions: 1}, true},
		{"the connections to one have ended", State{Known: true, Draining: []netip.Addr{second}, Sessions: 1}, false},
		{"it leaves another in its place", State{Known: true, Draining: []netip.Addr{first}, Sessions: 1}, true},
		{"a session comes up", State{Known: true, Draining: []netip.Addr{first}, Sessions: 2}, true},
	} {
		for _, c := range []chan struct{}{m.changes, m.urgent} {
			select {
			case <-c:
			default:
			}
		}
		m.mergeState(begins, record("a", 1, uint64(i+1), step.state))
		if len(m.changes) != 1 || (len(m.urgent) == 1) != step.urgent {
			t.Errorf("%s: it wakes %d, and urgently %d", step.name, len(m.changes), len(m.urgent))
		}
	}
}
