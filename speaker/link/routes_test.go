package link

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// TestWatcher_KnowsWhichLinkTheKernelUses has two links in one subnet, and one with a lone address and a route to its neighbors.
func TestWatcher_KnowsWhichLinkTheKernelUses(t *testing.T) {
	for _, name := range []string{"one0", "two0", "lone0"} {
		netnstest.Veth(t, name, netnstest.New(t), "far0")
	}
	w := start(t)
	subnet := netip.MustParsePrefix("192.0.2.0/24")
	for _, step := range []struct {
		name string
		do   []string
		want []string
	}{
		{"a subnet comes with its address", []string{"addr add 192.0.2.8/24 dev two0"}, []string{"two0"}},
		{"the first of two routes is used", []string{"addr add 192.0.2.7/24 dev one0"}, []string{"two0"}},
		{"a metric decides", []string{
			"route del 192.0.2.0/24 dev two0", "route add 192.0.2.0/24 dev two0 metric 100",
		}, []string{"one0"}},
		{"a route without an address of the subnet counts", []string{
			"addr del 192.0.2.7/24 dev one0", "addr del 192.0.2.8/24 dev two0", "addr add 192.0.2.9/32 dev lone0", "route add 192.0.2.0/24 dev lone0",
		}, []string{"lone0"}},
	} {
		for _, line := range step.do {
			ip(t, line)
		}
		await(t, w, step.name, func(links []lb.Link) error {
			var by []string
			for _, link := range links {
				if slices.Contains(link.Routes, subnet) {
					by = append(by, link.Name)
				}
			}
			if !slices.Equal(by, step.want) {
				return fmt.Errorf("%s leads to it", by)
			}
			return nil
		})
	}
	ip(t, "route add 198.51.100.0/24 dev one0 table 100")
	await(t, w, "another table leads through a link", func(links []lb.Link) error {
		i := slices.IndexFunc(links, func(l lb.Link) bool { return l.Name == "one0" })
		if i < 0 || !links[i].PolicyRouted {
			return fmt.Errorf("not known of %v", links)
		}
		return nil
	})
}

// TestWatcher_KnowsByWhichLinksTheDefaultRouteLeaves has two links with a router each.
func TestWatcher_KnowsByWhichLinksTheDefaultRouteLeaves(t *testing.T) {
	for _, name := range []string{"one0", "two0"} {
		netnstest.Veth(t, name, netnstest.New(t), "far0")
	}
	ip(t, "addr add 192.0.2.7/24 dev one0")
	ip(t, "addr add 198.51.100.7/24 dev two0")
	ip(t, "route add default via 198.51.100.1 table 100")
	w := start(t)
	for _, step := range []struct {
		name, do string
		want     []string
	}{
		{"of the main table", "route add default via 192.0.2.1 metric 100", []string{"one0"}},
		{"of two the one with the lower metric", "route add default via 198.51.100.1", []string{"two0"}},
		{"the other one when that is gone", "route del default via 198.51.100.1", []string{"one0"}},
		{"each of several next hops", "route replace default metric 100 nexthop via 192.0.2.1 nexthop via 198.51.100.1", []string{"one0", "two0"}},
		{"none when it is refused", "route replace unreachable default metric 100", nil},
	} {
		ip(t, step.do)
		await(t, w, step.name, func(links []lb.Link) error {
			var by []string
			for _, link := range links {
				if slices.Contains(link.DefaultRoute, lb.IPv6) {
					return fmt.Errorf("one of IPv6 by %s", link.Name)
				}
				if slices.Contains(link.DefaultRoute, lb.IPv4) {
					by = append(by, link.Name)
				}
			}
			if !slices.Equal(by, step.want) {
				return fmt.Errorf("it leaves by %s", by)
			}
			return nil
		})
	}
}

// TestWatcher_KnowsWhatTheKernelTakesForItsOwn by routes: it answers ARP for that.
func TestWatcher_KnowsWhatTheKernelTakesForItsOwn(t *testing.T) {
	netnstest.Veth(t, "port0", netnstest.New(t), "far0")
	ip(t, "addr add 192.0.2.7/24 dev port0")
	w := start(t)
	for _, step := range []struct {
		name, do string
		want     []string
	}{
		{"a prefix", "route add local 192.0.2.64/26 dev lo", []string{"lo 192.0.2.64/26"}},
		{"no longer", "route del local 192.0.2.64/26 dev lo", nil},
		{"one that comes with an address of lo", "addr add 192.0.2.129/25 dev lo", []string{"lo 192.0.2.128/25"}},
		{"a single address", "route add local 192.0.2.9/32 dev port0", []string{"lo 192.0.2.128/25", "port0 192.0.2.9/32"}},
		{"an address of the interface is none beyond it", "addr add 192.0.2.9/32 dev port0", []string{"lo 192.0.2.128/25"}},
		{"a routing protocol may set it", "route add local 192.0.2.10/32 dev lo proto bird", []string{"lo 192.0.2.10/32", "lo 192.0.2.128/25"}},
		{"it takes it back", "route del local 192.0.2.10/32 dev lo proto bird", []string{"lo 192.0.2.128/25"}},
		{"the address of lo goes", "addr del 192.0.2.129/25 dev lo", nil}, // and lo is as the other tests expect it
	} {
		ip(t, step.do)
		await(t, w, step.name, func(links []lb.Link) error {
			var got []string
			for _, link := range links {
				for _, prefix := range link.Local {
					got = append(got, link.Name+" "+prefix.String())
				}
			}
			if !slices.Equal(got, step.want) {
				return fmt.Errorf("they are %s", got)
			}
			return nil
		})
	}
}

// A port that waits for 802.1X has a carrier, and the kernel drops what is sent on it.
func TestWatcher_DormantLinkIsNotUp(t *testing.T) {
	netnstest.Veth(t, "port0", netnstest.New(t), "far0")
	netnstest.AwaitCarrier(t, "port0")
	w := start(t)
	await(t, w, "it is up", is(lb.Link{Name: "port0", Up: true}))
	ip(t, "link set port0 mode dormant state dormant")
	await(t, w, "it waits", is(lb.Link{Name: "port0", Dormant: true}))
	ip(t, "link set port0 state up")
	await(t, w, "it was let in", is(lb.Link{Name: "port0", Up: true}))
}
