package reconcile

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// TestLoop_StandsInWhereASwitchIsCut: n2 holds the address, and its part of the segment is not that of this node.
func TestLoop_StandsInWhereASwitchIsCut(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.gossip.at = netip.MustParseAddrPort("203.0.113.1:7946")
		f.addNode()
		links := []lb.Link{{Name: "eth0", Up: true, MAC: "02:00:00:00:00:02", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.12/24")}}}
		f.gossip.view.Version = 2
		f.gossip.view.Peers["n2"] = gossip.Peer{Incarnation: 1, StateKnown: true, State: gossip.State{Known: true, Links: links}}
		f.gossip.view.Claims = election.Claims{vip: {Addr: vip, Node: "n2", Incarnation: 1, Term: 1, Announced: true}}
		q := election.Question{Node: "n2", Addr: netip.MustParseAddr("192.0.2.12")}
		f.layer2.answers = map[election.Question]election.Answer{q: election.Answered}
		f.pass(t)
		f.layer2.answers[q] = election.NoAnswer
		f.pass(t)
		time.Sleep(1100 * time.Millisecond)
		f.pass(t)
		if said := f.gossip.sent.State.Segments; len(said) != 1 || !slices.Equal(said[0].Cut, []string{"n2"}) {
			t.Fatalf("it tells the others of %+v", said)
		}
		if len(f.layer2.desired) > 0 {
			t.Errorf("it answers at once for %v", f.layer2.desired)
		}
		time.Sleep(1100 * time.Millisecond)
		f.pass(t)
		if len(f.layer2.desired) != 1 || f.layer2.desired[0].Addr != vip || f.layer2.desired[0].Probe {
			t.Errorf("it answers for %+v", f.layer2.desired)
		}
		if got := f.reporter.newest.conditions[1].Message; !strings.Contains(got, "this node stands in for n2, and answers here for "+vip.String()) {
			t.Errorf("the condition says %q", got)
		}
	})
}

// TestLoop_ASwitchThatIsCutIsSaid: the address is on the segment of eth0, and the gossip of both nodes is elsewhere.
func TestLoop_ASwitchThatIsCutIsSaid(t *testing.T) {
	edge := func(mac, address string) []lb.Link {
		return []lb.Link{{Name: "eth0", Up: true, MAC: mac, Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}}
	}
	subnet := netip.MustParsePrefix("192.0.2.0/24")
	inTime(t, func(t *testing.T, f *fixture) {
		f.gossip.at = netip.MustParseAddrPort("203.0.113.1:7946")
		f.addNode()
		f.gossip.view.Peers["n2"] = gossip.Peer{
			Incarnation: 1, StateKnown: true, State: gossip.State{Known: true, Links: edge("02:00:00:00:00:02", "192.0.2.12/24")},
		}
		q := election.Question{Node: "n2", Addr: netip.MustParseAddr("192.0.2.12")}
		f.layer2.answers = map[election.Question]election.Answer{q: election.Answered}
		said := func(want bool) {
			t.Helper()
			const text = "the segment of 192.0.2.0/24 does not lead to n2 any more, and the gossip does: is a switch cut?"
			if got := f.reporter.newest.conditions[1].Message; strings.Contains(got, text) != want {
				t.Errorf("the condition says %q", got)
			}
		}
		f.pass(t)
		said(false)
		if len(f.layer2.asked) != 1 || f.layer2.asked[0].Question != q {
			t.Fatalf("asked are %+v", f.layer2.asked)
		}
		f.layer2.answers[q] = election.NoAnswer
		f.pass(t)
		said(false)
		time.Sleep(2 * time.Second)
		f.pass(t)
		said(true)
		f.layer2.answers[q] = election.Answered
		f.pass(t)
		said(false)
	})
	cut := election.SegmentEdges{Subnet: subnet}
	for i := range 12 {
		cut.Cut = append(cut.Cut, string(rune('a'+i)))
	}
	if texts := cutTexts([]election.SegmentEdges{cut}); len(texts) != 1 || !strings.Contains(texts[0], "i, j, 2 more any more") {
		t.Errorf("of many it says %q", texts)
	}
}
