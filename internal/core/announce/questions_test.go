package announce

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestPlan_QuestionsGoToTheNodesInterfacesOnTheSegment(t *testing.T) {
	prefix := func(texts ...string) (all []netip.Prefix) {
		for _, text := range texts {
			all = append(all, netip.MustParsePrefix(text))
		}
		return all
	}
	addr := netip.MustParseAddr("192.0.2.200")
	plan := &Plan{Contests: []Contest{{Contest: election.Contest{Addr: addr}, Interfaces: []string{"eth0"}}}}
	own := []lb.Link{
		{Name: "eth0", MAC: "02:00:00:00:00:01", Addresses: prefix("192.0.2.11/24", "fe80::1/64")},
		{Name: "eth1", MAC: "02:00:00:00:01:01", Addresses: prefix("198.51.100.11/24", "fe80::1/64")},
	}
	links := map[string][]lb.Link{
		"n2": {
			{Name: "eth1", MAC: "02:00:00:00:01:02", Addresses: prefix("198.51.100.12/24", "fe80::2/64")},
			{Name: "eth0", MAC: "02:00:00:00:00:02", Addresses: prefix("192.0.2.12/24", "fe80::2/64")},
		},
		"n3": {{Name: "eno1", MAC: "02:00:00:00:00:03"}, {Name: "wg0", NoARP: true, MAC: "02:00:00:00:02:03"}},
	}
	for node, want := range map[string][]string{"n2": {"02:00:00:00:00:02"}, "n3": {"02:00:00:00:00:03"}, "n4": nil} {
		q := election.Question{Node: node, Addr: addr}
		got := plan.Layer2Questions([]election.Question{q, {Node: node, Addr: addr.Next()}}, own, links)
		if len(got) != 1 || got[0].Question != q {
			t.Fatalf("to %s: %v, want the one about a contest", node, got)
		}
		var macs []string
		for _, path := range got[0].Paths {
			macs = append(macs, path.MAC)
			if path.Interface != "eth0" || path.Source != netip.MustParseAddr("fe80::1") {
				t.Errorf("to %s by %+v", node, path)
			}
		}
		if !slices.Equal(macs, want) {
			t.Errorf("to %s at %v, want %v", node, macs, want)
		}
	}
}
