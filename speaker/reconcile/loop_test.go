package reconcile

import (
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/speaker/gossip"
)

// fakeGossip is one that says what it is told to.
type fakeGossip struct {
	Gossip
	address netip.AddrPort
}

func (g *fakeGossip) Address() netip.AddrPort { return g.address }

func TestASpeakerThatTheOthersCannotKnowOfIsNotAlone(t *testing.T) {
	here := netip.MustParseAddrPort("192.0.2.11:7946")
	alone := gossip.View{Known: true, Alive: []string{"n1"}}
	unpublished := map[string]netip.AddrPort{"n1": {}}
	published := map[string]netip.AddrPort{"n1": here}
	for _, test := range []struct {
		name     string
		view     gossip.View
		speakers []map[string]netip.AddrPort
		known    bool
	}{
		{"its object has not been written", alone, []map[string]netip.AddrPort{nil}, false},
		{"its object does not say where it is", alone, []map[string]netip.AddrPort{unpublished}, false},
		{"its object is there", alone, []map[string]netip.AddrPort{published}, true},
		{"its object was there", alone, []map[string]netip.AddrPort{published, nil}, true},
		{"it has met another", gossip.View{Known: true, Alive: []string{"n1", "n2"}}, []map[string]netip.AddrPort{nil}, true},
		{"it knows nothing", gossip.View{Alive: []string{"n1"}}, []map[string]netip.AddrPort{published}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			loop := &Loop{cfg: Config{Node: "n1"}, exec: Executors{Gossip: &fakeGossip{address: here}}}
			var known bool
			for _, speakers := range test.speakers {
				known = loop.known(&cluster{speakers: speakers, view: test.view})
			}
			if known != test.known {
				t.Errorf("known is %v", known)
			}
		})
	}
}
