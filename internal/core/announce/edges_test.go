package announce

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// edgeNode has the gossip on eth0 and addresses of Services on eth1.
func edgeNode(i int) []lb.Link {
	link := func(name string, mac, format string) lb.Link {
		return lb.Link{Name: name, Up: true, MAC: fmt.Sprintf(mac, i), Addresses: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf(format, i))}}
	}
	return []lb.Link{link("eth0", "02:00:00:00:00:%02x", "192.0.2.%d/24"), link("eth1", "02:00:00:00:01:%02x", "198.51.100.%d/24")}
}

func TestPlan_EdgesAreAskedWhereTheGossipIsNot(t *testing.T) {
	edges := func(change func(c *Contest, own []lb.Link, links map[string][]lb.Link, gossip map[string]netip.AddrPort)) []Layer2Edge {
		addr := netip.MustParseAddr("198.51.100.200")
		plan := &Plan{Contests: []Contest{{Contest: election.Contest{Addr: addr}, Answering: &Answering{Interfaces: []string{"eth1"}}}}}
		own, links, gossip := edgeNode(1), map[string][]lb.Link{}, map[string]netip.AddrPort{}
		for i := 1; i < 4; i++ {
			links[fmt.Sprintf("n%d", i)] = edgeNode(i)
			gossip[fmt.Sprintf("n%d", i)] = netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:7946", i))
		}
		change(&plan.Contests[0], own, links, gossip)
		return plan.Layer2Edges("n1", own, links, gossip)
	}
	type change = func(c *Contest, own []lb.Link, links map[string][]lb.Link, gossip map[string]netip.AddrPort)
	for name, test := range map[string]struct {
		change change
		want   int
	}{
		"two others on a segment without the gossip": {func(*Contest, []lb.Link, map[string][]lb.Link, map[string]netip.AddrPort) {}, 2},
		"nobody where the gossip is": {func(_ *Contest, _ []lb.Link, _ map[string][]lb.Link, gossip map[string]netip.AddrPort) {
			gossip["n1"] = netip.MustParseAddrPort("198.51.100.1:7946")
		}, 0},
		"nobody whose gossip comes that way": {func(_ *Contest, _ []lb.Link, _ map[string][]lb.Link, gossip map[string]netip.AddrPort) {
			gossip["n3"] = netip.MustParseAddrPort("198.51.100.3:7946")
		}, 1},
		"two others by IPv6 where the gossip is IPv4": {func(c *Contest, own []lb.Link, links map[string][]lb.Link, _ map[string]netip.AddrPort) {
			c.Addr, c.Interfaces = netip.MustParseAddr("2001:db8::200"), []string{"eth0"}
			all := [][]lb.Link{own, links["n2"], links["n3"]}
			for i, of := range all {
				of[0].Addresses = append(of[0].Addresses, netip.MustParsePrefix(fmt.Sprintf("2001:db8::%d/64", i+1)))
			}
		}, 2},
		"nobody who is not on the segment": {func(_ *Contest, _ []lb.Link, links map[string][]lb.Link, _ map[string]netip.AddrPort) {
			links["n2"] = links["n2"][:1]
		}, 1},
		"nobody whose link is down": {func(_ *Contest, _ []lb.Link, links map[string][]lb.Link, _ map[string]netip.AddrPort) {
			links["n2"][1].Up = false
		}, 1},
		"nobody where conflicts are not detected": {func(c *Contest, _ []lb.Link, _ map[string][]lb.Link, _ map[string]netip.AddrPort) {
			c.Detection = v1beta1.ConflictOff
		}, 0},
		"nobody where nothing is announced": {func(c *Contest, _ []lb.Link, _ map[string][]lb.Link, _ map[string]netip.AddrPort) {
			c.Addr = netip.MustParseAddr("203.0.113.1")
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := edges(test.change); len(got) != test.want {
				t.Errorf("asked are %+v", got)
			}
		})
	}
	got := edges(func(*Contest, []lb.Link, map[string][]lb.Link, map[string]netip.AddrPort) {})[0]
	want := Layer2Path{Interface: "eth1", MAC: "02:00:00:00:01:02"}
	if got.Question != (election.Question{Node: "n2", Addr: netip.MustParseAddr("198.51.100.2")}) || len(got.Paths) != 1 || got.Paths[0] != want ||
		got.Edge != (election.Edge{Node: "n2", Subnet: netip.MustParsePrefix("198.51.100.0/24")}) {
		t.Errorf("the first is %+v", got)
	}
}

func TestPlan_EdgesAreFewInALargeCluster(t *testing.T) {
	const nodes = 200
	plan := &Plan{Contests: []Contest{{Contest: election.Contest{Addr: netip.MustParseAddr("198.51.100.250")}, Answering: &Answering{Interfaces: []string{"eth1"}}}}}
	links, gossip, all, most := map[string][]lb.Link{}, map[string]netip.AddrPort{}, 0, 0
	for i := range nodes {
		links[fmt.Sprintf("n%d", i)] = edgeNode(1 + i)
	}
	for node := range links {
		count := len(plan.Layer2Edges(node, links[node], links, gossip))
		all, most = all+count, max(most, count)
	}
	if all != 5*nodes || most > 20 {
		t.Errorf("%d edges, one node has %d", all, most)
	}
}
