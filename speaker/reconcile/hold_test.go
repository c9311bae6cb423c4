package reconcile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

func TestASpeakerThatLeavesMayHoldNothingAndStillKnowsItsLinks(t *testing.T) {
	l := &Loop{cfg: Config{Node: "n1"}}
	l.leaving.Store(true)
	links := []lb.Link{{Name: "eth0", Up: true}}
	view := gossip.View{Alive: []string{"n1", "n2", "n3", "n4"}, Peers: map[string]gossip.Peer{
		"n2": {StateKnown: true, State: gossip.State{Known: true}},
		"n3": {StateKnown: true, State: gossip.State{Known: true, Leaving: true}},
		"n4": {StateKnown: true},
	}}
	alive, all := l.holders(view, true, links)
	if !slices.Equal(alive, []string{"n2"}) || len(all["n1"]) != 1 {
		t.Errorf("%v may hold addresses, the links known are %v", alive, all)
	}
}

func TestMACAddressesOfTheClusterAreRemembered(t *testing.T) {
	m := macs{}
	now := &cluster{
		world:    announce.World{Node: "n1", Nodes: []*lb.Node{{Name: "n1"}, {Name: "n2"}}},
		relevant: []lb.Link{{MAC: "02:00:00:00:00:01"}, {Name: "none"}},
		view: gossip.View{Peers: map[string]gossip.Peer{
			"n2": {State: gossip.State{Links: []lb.Link{{MAC: "02:00:00:00:00:02"}}}},
		}},
	}
	both := []string{"02:00:00:00:00:01", "02:00:00:00:00:02"}
	if got := m.learn(now); !slices.Equal(got, both) {
		t.Errorf("known are %v", got)
	}
	now.view.Peers = nil
	if got := m.learn(now); !slices.Equal(got, both) {
		t.Errorf("with n2 away, known are %v", got)
	}
	now.world.Nodes = now.world.Nodes[:1]
	if got := m.learn(now); !slices.Equal(got, both[:1]) {
		t.Errorf("with n2 deleted, known are %v", got)
	}
}

func TestALinkThatDoesNotCarryTheGossipIsNoLink(t *testing.T) {
	here := netip.MustParsePrefix("192.0.2.11/24")
	now := &cluster{gossip: here.Addr(), links: []lb.Link{
		{Name: "cni0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.1/24")}},
		{Name: "eth0", Addresses: []netip.Prefix{here}},
	}}
	if now.circumstances().linked {
		t.Error("linked, though eth0 is down")
	}
	now.links[1].Up = true
	if !now.circumstances().linked {
		t.Error("not linked, though eth0 is up")
	}
}

func TestTheWordsAboutAddressesThatNobodyHoldsAreFew(t *testing.T) {
	texts := make([]string, 10_000)
	for i := range texts {
		texts[i] = fmt.Sprintf("address %d is held by no node", i)
	}
	if got := unheld(texts).Error(); len(got) > 1000 || !strings.HasSuffix(got, "; and so are 9995 more") {
		t.Errorf("it says %q", got)
	}
	if got := unheld(texts[:1]).Error(); got != texts[0] {
		t.Errorf("of one it says %q", got)
	}
}
