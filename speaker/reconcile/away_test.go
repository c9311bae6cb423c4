package reconcile

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// A speaker that starts before that of another node is back takes its addresses, and passes their open connections on to it.
func TestLoop_PassesOnToNodesWhoseSpeakersAreAway(t *testing.T) {
	passages := []handover.Passage{{Addr: vip, Via: addressOfN2, Hops: 1}}
	for _, test := range []struct {
		name    string
		node    []netip.Addr
		led     []handover.Passage
		stopped bool
		want    []handover.Passage
	}{
		{"it is expected", []netip.Addr{addressOfN2}, nil, false, passages},
		{"its node is down", []netip.Addr{addressOfN2}, nil, true, nil},
		{"its address is not known", nil, nil, false, nil},
		{"its address is on another segment", []netip.Addr{netip.MustParseAddr("198.51.100.7")}, nil, false, nil},
		{"the process before passed packets on to it", []netip.Addr{addressOfN2}, passages, false, passages},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T, f *fixture) {
				f.draining, f.addressesOfN2, f.kubeletStopped, f.connections.kept.Passages = 10*time.Minute, test.node, test.stopped, test.led
				f.untilHeld(t)
				if got := f.connections.plan.Passages; !reflect.DeepEqual(got, test.want) {
					t.Errorf("passages are %v, want %v", got, test.want)
				}
			})
		})
	}
}

// That what an earlier process passed on stays though the other's speaker is not expected any more.
func TestLoop_AwayAreNodesThatAreExpectedOrLedTo(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.addressesOfN2 = []netip.Addr{addressOfN2}
		seen, err := f.look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		vias := []handover.Via{{Prefix: netip.PrefixFrom(addressOfN2, 24), Links: []string{"eth0"}}}
		led := []handover.Passage{{Addr: vip, Via: addressOfN2, Hops: 1}}
		if got, want := f.away(seen, nil, led), []handover.Away{{Node: "n2", Vias: vias, Led: map[netip.Addr]bool{vip: true}, Any: true}}; !reflect.DeepEqual(got, want) {
			t.Errorf("away are %+v, want %+v", got, want)
		}
		for i := range mostAway {
			name := fmt.Sprintf("away%d", i)
			seen.world.Nodes = append(seen.world.Nodes, &lb.Node{Name: name, Addresses: []netip.Addr{addressOfN2}})
			seen.speakers[name] = netip.AddrPort{}
			got, isMost := f.away(seen, nil, led), i < mostAway-1
			if len(got) != i+2 || got[0].Any != isMost || got[i+1].Any != isMost || !got[0].Led[vip] {
				t.Errorf("of %d: %+v", i+2, got)
			}
		}
		seen.world.Nodes = seen.world.Nodes[:len(seen.world.Nodes)-mostAway]
		delete(seen.speakers, "n2")
		if got := f.away(seen, nil, nil); len(got) > 0 {
			t.Errorf("of a node that is to have no speaker: %+v", got)
		}
		if got := f.away(seen, nil, led); len(got) != 1 || got[0].Any {
			t.Errorf("of one that packets were passed on to: %+v", got)
		}
		if got := f.away(seen, map[string]handover.Peer{"n2": {}}, led); len(got) > 0 {
			t.Errorf("of one that is heard: %+v", got)
		}
	})
}

// What the others hold has not come yet: the first claims of this speaker could silence theirs.
func TestLoop_HoldsNothingBeforeItKnowsWhatOthersHold(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.addNeighbor()
		f.gossip.view.ClaimsMissing = true
		if f.pass(t); f.memory.participant.Settled() {
			t.Error("it may hold addresses")
		}
		f.gossip.view.ClaimsMissing = false
		if f.pass(t); !f.memory.participant.Settled() {
			t.Error("it goes on waiting when all has come")
		}
	})
}
