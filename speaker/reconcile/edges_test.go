package reconcile

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

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
	var cut []election.Edge
	for i := range 12 {
		cut = append(cut, election.Edge{Node: string(rune('a' + i)), Subnet: subnet})
	}
	if texts := cutTexts(cut); len(texts) != 1 || !strings.Contains(texts[0], "i, j, 2 more any more") {
		t.Errorf("of many it says %q", texts)
	}
}
