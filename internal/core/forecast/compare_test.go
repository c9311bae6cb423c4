package forecast

import (
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// TestCompare_WithdrawnFromOnePeer: a peer that no node tells of an address any more has lost it, whatever others are told.
func TestCompare_WithdrawnFromOnePeer(t *testing.T) {
	planned := map[string]*node{"n1": {}, "n2": {}}
	c := comparison{before: &Outcome{planned: planned}, after: &Outcome{planned: planned}}
	answers := func(first, second announce.NodeAnswer) *announce.Answers {
		first.Node, second.Node = "n1", "n2"
		return &announce.Answers{Addr: netip.MustParseAddr("203.0.113.1"), Nodes: []announce.NodeAnswer{first, second}}
	}
	var office, both announce.NodeAnswer
	office.Peers = append(office.Peers, announce.PeerAnswer{Peer: "office"})
	both.Peers = append(both.Peers, announce.PeerAnswer{Peer: "internet"}, announce.PeerAnswer{Peer: "office"})
	effects := c.routed(answers(both, both), answers(office, office))
	if len(effects) != 2 || effects[1].Effect != Withdrawn || effects[1].Message != "to internet" || len(effects[1].From) != 2 {
		t.Errorf("withdrawn from one peer: %+v", effects)
	}
	if effects := c.routed(answers(both, both), answers(both, office)); len(effects) != 1 || effects[0].Effect != Attributes {
		t.Errorf("withdrawn from one peer by one of two nodes: %+v", effects)
	}
}
