package announce

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func everyone(string) bool { return true }

// A node that gets another name leaves its Node object behind for a while, and a network card may be put into another machine.
func TestClusterMACs_AreThoseOfTheNodeThatIsAlive(t *testing.T) {
	const mac = "02:00:00:00:00:01"
	card := []lb.Link{{Name: "eth0", MAC: mac}}
	for _, test := range []struct {
		name  string
		alive []string
		links map[string][]lb.Link
		want  string
	}{
		{"the old name is silent", []string{"n9"}, map[string][]lb.Link{"n1": card, "n9": card}, "n9"},
		{"the old name is forgotten by the gossip", []string{"n9"}, map[string][]lb.Link{"n9": card}, "n9"},
		{"the card is another node's now", []string{"n1", "n9"}, map[string][]lb.Link{"n1": {{Name: "eth0", MAC: "02:00:00:00:00:02"}}, "n9": card}, "n9"},
		{"neither is alive", nil, map[string][]lb.Link{"n9": card}, "n9"},
		{"nothing tells them apart", []string{"n1", "n9"}, map[string][]lb.Link{"n1": card, "n9": card}, "n1"},
	} {
		m := ClusterMACs{}
		m.Update(map[string][]lb.Link{"n1": card}, everyone, everyone)
		got := m.Update(test.links, func(node string) bool { return slices.Contains(test.alive, node) }, everyone)
		if got[0] != (NodeMAC{mac, test.want, "eth0"}) || !slices.IsSortedFunc(got, func(a, b NodeMAC) int { return strings.Compare(a.MAC, b.MAC) }) {
			t.Errorf("%s: they are %v", test.name, got)
		}
	}
}

func TestClusterMACs_AreRememberedWhileTheNodeIsInTheCluster(t *testing.T) {
	m, nodes := ClusterMACs{}, []string{"n1", "n2"}
	inCluster := func(node string) bool { return slices.Contains(nodes, node) }
	links := map[string][]lb.Link{
		"n1": {{Name: "eth0", MAC: "02:00:00:00:00:01"}, {Name: "none"}}, "n2": {{Name: "eth1", MAC: "02:00:00:00:00:02"}},
	}
	both := []NodeMAC{{"02:00:00:00:00:01", "n1", "eth0"}, {"02:00:00:00:00:02", "n2", "eth1"}}
	if got := m.Update(links, everyone, inCluster); !slices.Equal(got, both) {
		t.Errorf("known are %v", got)
	}
	delete(links, "n2")
	if got := m.Update(links, everyone, inCluster); !slices.Equal(got, both) {
		t.Errorf("with n2 away, known are %v", got)
	}
	nodes = nodes[:1]
	if got := m.Update(links, everyone, inCluster); !slices.Equal(got, both[:1]) {
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
	got := ClusterMACs{}.Update(map[string][]lb.Link{"n1": links}, everyone, everyone)
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
