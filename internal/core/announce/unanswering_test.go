package announce

import (
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// What the node should answer for and cannot is said, and nothing else.
func TestUnanswering(t *testing.T) {
	link := func(name string, up bool, addresses ...string) lb.Link {
		l := linkWith(name, addresses...)
		l.Up = up
		return l
	}
	dormant := func(l lb.Link) lb.Link { l.Up, l.Dormant = false, true; return l }
	other := link("eth9", true, "192.0.2.11/24", "2001:db8::11/64", "fe80::9/64")
	const vip4, vip6 = "192.0.2.200", "2001:db8::200"
	for _, test := range []struct {
		name   string
		addr   string
		links  []lb.Link
		change func(*World)
		want   []Unanswering
	}{
		{"an interface that answers", vip4, []lb.Link{other}, func(*World) {}, nil},
		{"a dormant port with the subnet", vip4, []lb.Link{dormant(link("eth0", false, "192.0.2.11/24")), other}, func(*World) {}, []Unanswering{{"eth0", lb.IPv4, true}}},
		{"a dormant port that has nothing to do with the address", vip4, []lb.Link{dormant(link("eth0", false, "198.51.100.1/24")), other}, func(*World) {}, nil},
		{"a dormant port that is the only one", vip4, []lb.Link{dormant(link("eth0", false))}, func(*World) {}, []Unanswering{{"eth0", lb.IPv4, true}}},
		{"a dormant port that is named", vip4, []lb.Link{dormant(link("eth0", false)), other}, func(w *World) {
			w.L2Advertisements[0].Interfaces = []string{"eth0", "eth9"}
		}, []Unanswering{{"eth0", lb.IPv4, true}}},
		{"one that a pattern happens to match", vip4, []lb.Link{dormant(link("eth0", false)), other}, func(w *World) {
			w.L2Advertisements[0].Interfaces = []string{"eth*"}
		}, nil},
		{"an interface that is down", vip4, []lb.Link{link("eth0", false, "192.0.2.11/24")}, func(*World) {}, nil},
		{"one without IPv6 that is the only one", vip6, []lb.Link{link("eth0", true, "192.0.2.11/24")}, func(*World) {}, []Unanswering{{"eth0", lb.IPv6, false}}},
		{"one without IPv6 beside one that answers", vip6, []lb.Link{link("eth0", true, "198.51.100.1/24"), other}, func(*World) {}, nil},
		{"one without IPv6 for an IPv4 address", vip4, []lb.Link{link("eth0", true, "192.0.2.11/24")}, func(*World) {}, nil},
		{"one that leads to containers", vip6, []lb.Link{link("veth0", true)}, func(*World) {}, nil},
		{"one of which the executor knows more", vip6, []lb.Link{{Name: "eth0", Up: true, Unable: []lb.Family{lb.IPv6}}}, func(*World) {}, nil},
		{"a node that the advertisement does not select", vip6, []lb.Link{link("eth0", true)}, func(w *World) {
			w.L2Advertisements[0].NodeSelectors = selector("rack=nowhere")
		}, nil},
		{"a node that is excluded", vip6, []lb.Link{link("eth0", true)}, func(w *World) { w.Nodes[0].Excluded = true }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			w.Pools = lb.NewPools([]*lb.Pool{pool("lan", test.addr, 1)})
			w.add("web", test.addr, everyNode...)
			w.Links["n1"], w.OwnLinks = test.links, test.links
			test.change(w)
			if got := Compute(w).Unanswering; !slices.Equal(got, test.want) {
				t.Errorf("they are %v, want %v", got, test.want)
			}
		})
	}
}
