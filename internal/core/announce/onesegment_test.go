package announce

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// The address is in no subnet of the node.
func TestSegment_OneInterfaceAnswersForAnAddressOfNoSubnet(t *testing.T) {
	link := func(name string, addresses ...string) lb.Link {
		l := linkWith(name, append(addresses, "fe80::1/64")...)
		l.Up = true
		return l
	}
	routed := func(l lb.Link, routes ...string) lb.Link {
		for _, route := range routes {
			l.Routes = append(l.Routes, netip.MustParsePrefix(route))
		}
		return l
	}
	named := func(interfaces ...string) func(*World) {
		return func(w *World) { w.L2Advertisements[0].Interfaces = interfaces }
	}
	eth0, eth1 := link("eth0", "198.51.100.1/24"), routed(link("eth1", "198.51.100.2/24"), "198.51.100.0/24")
	for _, test := range []struct {
		name   string
		links  []lb.Link
		change func(w *World)
		want   []string
	}{
		{"of two in one subnet that of the kernel's route", []lb.Link{eth0, eth1}, func(*World) {}, []string{"eth1"}},
		{"of two in one subnet the first by name where no route is known", []lb.Link{link("eth1", "198.51.100.2/24"), eth0}, func(*World) {}, []string{"eth0"}},
		{"of two that a pattern names as well", []lb.Link{eth0, eth1}, named("eth*"), []string{"eth1"}},
		{"of two that are named as well", []lb.Link{eth0, eth1}, named("eth0", "eth1"), []string{"eth1"}},
		{"the one that is named, though the route is another's", []lb.Link{eth0, eth1}, named("eth0"), []string{"eth0"}},
		{"the named one when another advertisement names none", []lb.Link{eth0, eth1, link("eth2")}, func(w *World) {
			second := *w.L2Advertisements[0]
			second.Name, second.Interfaces = "second", []string{"eth0"}
			w.L2Advertisements = append(w.L2Advertisements, &second)
		}, []string{"eth0", "eth2"}},
		{"one for each advertisement that names any", []lb.Link{eth0, eth1}, func(w *World) {
			second := *w.L2Advertisements[0]
			w.L2Advertisements[0].Interfaces = []string{"eth0"}
			second.Name, second.Interfaces = "second", []string{"eth1"}
			w.L2Advertisements = append(w.L2Advertisements, &second)
		}, []string{"eth0", "eth1"}},
		{"one in each segment", []lb.Link{eth0, link("eth2", "203.0.113.1/24"), eth1}, func(*World) {}, []string{"eth1", "eth2"}},
		{"the subnet may be of the other family", []lb.Link{link("eth0", "2001:db8::1/64"), routed(link("eth1", "2001:db8::2/64"), "2001:db8::/64")}, func(*World) {}, []string{"eth1"}},
		{
			"the route of the address's family counts more",
			[]lb.Link{routed(link("eth0", "198.51.100.1/24", "2001:db8::1/64"), "198.51.100.0/24"), routed(link("eth1", "198.51.100.2/24", "2001:db8::2/64"), "2001:db8::/64")},
			func(*World) {},
			[]string{"eth0"},
		},
		{
			"two have no subnet in common but a third has both",
			[]lb.Link{link("eth0", "198.51.100.1/24"), link("eth1", "203.0.113.1/24"), link("eth2", "198.51.100.2/24", "203.0.113.2/24")},
			func(*World) {},
			[]string{"eth1"},
		},
		{"a lone address is no subnet", []lb.Link{link("eth0", "198.51.100.1/32"), link("eth1", "198.51.100.1/32")}, func(*World) {}, []string{"eth0", "eth1"}},
		{"another one while that of the route is down", []lb.Link{eth0, {Name: "eth1", Addresses: eth1.Addresses}}, func(*World) {}, []string{"eth0"}},
		{"one without an address is on a segment of its own as far as is known", []lb.Link{eth0, link("eth2")}, func(*World) {}, []string{"eth0", "eth2"}},
		{"unless the other one is named", []lb.Link{eth0, link("eth2")}, named("eth0"), []string{"eth0"}},
		{"and is silent beside one with the address's subnet", []lb.Link{link("eth3", "192.0.2.11/24"), link("eth2")}, func(*World) {}, []string{"eth3"}},
		{"of two that are named beside the one with the address's subnet", []lb.Link{link("eth3", "192.0.2.11/24"), eth0, eth1}, named("eth0", "eth1", "eth3"), []string{"eth1", "eth3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			w.add("web", "192.0.2.200", everyNode...)
			w.Links["n1"] = test.links
			test.change(w)
			if got := slices.Sorted(slices.Values(Compute(w).Contests[0].Interfaces)); !slices.Equal(got, test.want) {
				t.Errorf("answered on %v, want %v", got, test.want)
			}
		})
	}
}
