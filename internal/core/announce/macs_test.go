package announce

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestClusterMACs_AreRememberedWhileTheNodeIsInTheCluster(t *testing.T) {
	m, nodes := ClusterMACs{}, []string{"n1", "n2"}
	inCluster := func(node string) bool { return slices.Contains(nodes, node) }
	links := map[string][]lb.Link{
		"n1": {{Name: "eth0", MAC: "02:00:00:00:00:01"}, {Name: "none"}}, "n2": {{Name: "eth1", MAC: "02:00:00:00:00:02"}},
	}
	both := []NodeMAC{{"02:00:00:00:00:01", "n1", "eth0"}, {"02:00:00:00:00:02", "n2", "eth1"}}
	if got := m.Update(links, inCluster); !slices.Equal(got, both) {
		t.Errorf("known are %v", got)
	}
	delete(links, "n2")
	if got := m.Update(links, inCluster); !slices.Equal(got, both) {
		t.Errorf("with n2 away, known are %v", got)
	}
	nodes = nodes[:1]
	if got := m.Update(links, inCluster); !slices.Equal(got, both[:1]) {
		t.Errorf("with n2 deleted, known are %v", got)
	}
}

// A bond that spreads its load over its members answers with their own addresses as well (balance-alb).
func TestClusterMACs_HaveThoseOfMembersOfBonds(t *testing.T) {
	links := RelevantLinks([]lb.Link{
		{Name: "bond0", Up: true, MAC: "02:00:00:00:00:01"},
		{Name: "eth0", Up: true, MAC: "02:00:00:00:00:01", Enslaved: true},
		{Name: "eth1", Up: true, MAC: "02:00:00:00:00:01", PermanentMAC: "02:00:00:00:00:02", Enslaved: true},
	}, nil)
	got := ClusterMACs{}.Update(map[string][]lb.Link{"n1": links}, func(string) bool { return true })
	if len(got) != 2 || got[1] != (NodeMAC{"02:00:00:00:00:02", "n1", "eth1"}) {
		t.Errorf("known are %v", got)
	}
}

func TestLinkUp_IsTheLinkWithTheAddress(t *testing.T) {
	here := netip.MustParsePrefix("192.0.2.11/24")
	links := []lb.Link{
		{Name: "cni0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.1/24")}},
		{Name: "eth0", Addresses: []netip.Prefix{here}},
	}
	if LinkUp(links, here.Addr()) {
		t.Error("up, though eth0 is down")
	}
	links[1].Up = true
	if !LinkUp(links, here.Addr()) {
		t.Error("not up, though eth0 is")
	}
}
