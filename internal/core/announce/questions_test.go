package announce

import (
	"fmt"
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
	plan := &Plan{Contests: []Contest{{Contest: election.Contest{Addr: addr}, Answering: &Answering{Interfaces: []string{"eth0"}}}}}
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

// A node may have very many links in common with this one, of which the address belongs to one.
func TestPlan_QuestionsGoWhereTheAddressBelongsFirst(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.200")
	link := func(n int, node byte, addresses ...string) lb.Link {
		l := linkWith(fmt.Sprintf("eth%02d", n), addresses...)
		l.Up, l.MAC = true, fmt.Sprintf("02:00:00:00:%02x:%02x", n, node)
		return l
	}
	subnet := func(n int, node byte) string { return fmt.Sprintf("198.51.%d.%d/24", n, node) }
	bare := func(n int, node byte) lb.Link { return link(n, node) }
	for _, test := range []struct {
		name string
		link func(n int, node byte) lb.Link
		want string
	}{
		{"its subnet is on the last of twenty", func(n int, node byte) lb.Link {
			if n == 19 {
				return link(n, node, fmt.Sprintf("192.0.2.%d/24", node))
			}
			return link(n, node, subnet(n, node))
		}, "02:00:00:00:13:02"},
		{"its subnet has a route on the last", func(n int, node byte) lb.Link {
			l := link(n, node, subnet(n, node))
			if n == 19 {
				l.Routes = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			}
			return l
		}, "02:00:00:00:13:02"},
		{"no link has a subnet, and the last has the name of the one that answers", bare, "02:00:00:00:13:02"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := &Plan{Contests: []Contest{{Contest: election.Contest{Addr: addr}, Answering: &Answering{}}}}
			var own, others []lb.Link
			for n := range 20 {
				own, others = append(own, test.link(n, 1)), append(others, test.link(n, 2))
			}
			plan.Contests[0].Interfaces = []string{"eth19"}
			if test.name[:3] == "its" {
				plan.Contests[0].Interfaces = linkNames(pointers(own))
			}
			got := plan.Layer2Questions([]election.Question{{Node: "n2", Addr: addr}}, own, map[string][]lb.Link{"n2": others})
			if paths := got[0].Paths; len(paths) != maxPaths || paths[0].MAC != test.want || paths[0].Interface != "eth19" {
				t.Errorf("asked first is %+v, want %s", got[0].Paths, test.want)
			}
		})
	}
}

func TestPlan_QuestionsGoToEachMACOnce(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.200")
	plan := &Plan{Contests: []Contest{{Contest: election.Contest{Addr: addr}, Answering: &Answering{Interfaces: []string{"eth0"}}}}}
	own := []lb.Link{{Name: "eth0", MAC: "02:00:00:00:00:01"}}
	var others []lb.Link
	for n := range 6 {
		others = append(others, lb.Link{Name: fmt.Sprintf("bond0.%d", n), MAC: "02:00:00:00:00:02", Up: true})
	}
	others = append(others, lb.Link{Name: "eth9", MAC: "02:00:00:00:00:03", Up: true})
	got := plan.Layer2Questions([]election.Question{{Node: "n2", Addr: addr}}, own, map[string][]lb.Link{"n2": others})
	if paths := got[0].Paths; len(paths) != 2 || paths[1].MAC != "02:00:00:00:00:03" {
		t.Errorf("the paths are %+v", paths)
	}
}

func pointers(links []lb.Link) (all []*lb.Link) {
	for i := range links {
		all = append(all, &links[i])
	}
	return all
}
