package link

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// addresses parses a list of addresses.
func addresses(list ...string) []netip.Addr {
	var result []netip.Addr
	for _, one := range list {
		result = append(result, netip.MustParseAddr(one))
	}
	return result
}

// TestWatcher_FollowsGateways changes the kernel's routes step by step; the Watcher must notice each step.
func TestWatcher_FollowsGateways(t *testing.T) {
	netnstest.Veth(t, "gw0", netnstest.New(t), "far0")
	netnstest.Veth(t, "gw1", netnstest.New(t), "far0")
	for _, line := range []string{
		"addr add 192.0.2.7/24 dev gw0", "addr add 2001:db8::7/64 dev gw0 nodad", "addr add 198.51.100.7/24 dev gw1",
	} {
		ip(t, line)
	}
	w := start(t)
	for _, step := range []struct {
		name string
		do   []string
		want []netip.Addr
	}{
		{"without a default route there is no gateway", nil, nil},
		{"a default route has one", []string{"route add default via 192.0.2.1"}, addresses("192.0.2.1")},
		{"a changed one has another", []string{"route replace default via 192.0.2.2"}, addresses("192.0.2.2")},
		{
			"of two the one with the lower metric comes first",
			[]string{"route add default via 192.0.2.3 metric 20", "route replace default via 192.0.2.9 metric 10", "route del default metric 0"},
			addresses("192.0.2.9", "192.0.2.3"),
		},
		{"one that goes is gone", []string{"route del default metric 10"}, addresses("192.0.2.3")},
		{
			"all next hops of a multipath route are listed",
			[]string{"route replace default metric 20 nexthop via 192.0.2.5 nexthop via 198.51.100.4 weight 3 nexthop via 192.0.2.4"},
			addresses("192.0.2.4", "192.0.2.5", "198.51.100.4"),
		},
		{
			"those of a link that goes down are not",
			[]string{"link set gw1 down"},
			addresses("192.0.2.4", "192.0.2.5"),
		},
		{
			"a default route that refuses has no gateway, whatever its metric",
			[]string{"route add blackhole default metric 1", "route add unreachable default metric 2"},
			addresses("192.0.2.4", "192.0.2.5"),
		},
		{"nor has one without a next hop", []string{"route add default dev gw0 metric 3"}, addresses("192.0.2.4", "192.0.2.5")},
		{"another table is another matter", []string{"route add default via 192.0.2.1 table 100"}, addresses("192.0.2.4", "192.0.2.5")},
		{
			"a route that is half a default is none",
			[]string{"route add 0.0.0.0/1 via 192.0.2.1", "route flush default metric 20"},
			nil,
		},
		{"IPv6 has gateways too", []string{"-6 route add default via 2001:db8::1"}, addresses("2001:db8::1")},
		{
			"a link-local gateway says where it is, and IPv4 comes first",
			[]string{"-6 route add default via fe80::1 dev gw0 metric 10", "route add default via 192.0.2.1"},
			addresses("192.0.2.1", "fe80::1%gw0", "2001:db8::1"),
		},
		{
			"IPv6 has multipath routes too",
			[]string{"-6 route replace default metric 10 nexthop via fe80::2 dev gw0 nexthop via fe80::1 dev gw0"},
			addresses("192.0.2.1", "fe80::1%gw0", "fe80::2%gw0", "2001:db8::1"),
		},
		{
			"IPv6 routes that refuse have none",
			[]string{"-6 route add unreachable default metric 1"},
			addresses("192.0.2.1", "fe80::1%gw0", "fe80::2%gw0", "2001:db8::1"),
		},
		{
			"a router that both families are routed by is listed once, others after those of IPv6",
			[]string{
				"-6 route del default metric 10", "-4 route replace default via inet6 fe80::9 dev gw0",
				"-4 route add default metric 5 via inet6 2001:db8::1 dev gw0",
			},
			addresses("2001:db8::1", "fe80::9%gw0"),
		},
		{
			"next hops may be objects of their own, which change by themselves",
			[]string{
				"nexthop add id 1 via 192.0.2.1 dev gw0", "route replace default nhid 1", "route del default metric 5",
				"nexthop replace id 1 via 192.0.2.6 dev gw0",
			},
			addresses("192.0.2.6", "2001:db8::1"),
		},
		{"a renamed link is another place", []string{"-6 route add default via fe80::5 dev gw0 metric 7", "link set gw0 down", "link set gw0 name gw9"}, nil},
		{"with its link the route returns under the new name", []string{"link set gw9 up", "-6 route add default via fe80::5 dev gw9"}, addresses("fe80::5%gw9")},
		{"a removed link takes its routes along", []string{"link del gw9"}, nil},
	} {
		for _, line := range step.do {
			ip(t, line)
		}
		await(t, w, step.name, func([]lb.Link) error { return w.hasGateways(step.want) })
	}
}

// hasGateways returns an error unless these are the gateways.
func (w *Watcher) hasGateways(want []netip.Addr) error {
	got, known := w.Gateways()
	if !known {
		return errors.New("not known yet")
	}
	if diff := cmp.Diff(want, addrsOf(got), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		return errors.New(diff)
	}
	return nil
}

func addrsOf(gateways []lb.Gateway) (addrs []netip.Addr) {
	for _, g := range gateways {
		addrs = append(addrs, g.Addr)
	}
	return addrs
}

// TestWatcher_NoticesEveryKindOfRoute: each change comes alone, and often enough that none can share the wake of
// another.
func TestWatcher_NoticesEveryKindOfRoute(t *testing.T) {
	netnstest.Veth(t, "heard0", netnstest.New(t), "far0")
	ip(t, "addr add 192.0.2.7/24 dev heard0")
	ip(t, "addr add 2001:db8::7/64 dev heard0 nodad")
	w := start(t)
	for range 5 {
		for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
			ip(t, "route add default via "+addr)
			await(t, w, addr+" comes", func([]lb.Link) error { return w.hasGateways(addresses(addr)) })
			ip(t, "route del default via "+addr)
			await(t, w, addr+" goes", func([]lb.Link) error { return w.hasGateways(nil) })
		}
	}
}

// TestSubscribe_RoutesOfRoutingProtocolsDoNotWake: the thousands of routes that a routing protocol may change every second wake
// nobody.
func TestSubscribe_RoutesOfRoutingProtocolsDoNotWake(t *testing.T) {
	message := func(kind uint16, data ...byte) syscall.NetlinkMessage {
		return syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: kind}, Data: append(data, make([]byte, 8)...)}
	}
	for name, test := range map[string]struct {
		message syscall.NetlinkMessage
		want    bool
	}{
		"a link":                           {message(unix.RTM_NEWLINK), true},
		"an address":                       {message(unix.RTM_DELADDR), true},
		"a default route comes":            {message(unix.RTM_NEWROUTE, unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN), true},
		"a default route goes":             {message(unix.RTM_DELROUTE, unix.AF_INET6, 0, 0, 0, unix.RT_TABLE_MAIN), true},
		"a route that BIRD has set":        {message(unix.RTM_NEWROUTE, unix.AF_INET, 24, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_BIRD), false},
		"the route to an address's subnet": {message(unix.RTM_NEWROUTE, unix.AF_INET, 24, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_KERNEL), true},
		"a route of another table":         {message(unix.RTM_NEWROUTE, unix.AF_INET, 0, 0, 0, unix.RT_TABLE_COMPAT, unix.RTPROT_STATIC), true},
		"a route to the host itself":       {message(unix.RTM_NEWROUTE, unix.AF_INET, 32, 0, 0, unix.RT_TABLE_LOCAL, unix.RTPROT_KERNEL), false},
		"a message cut short":              {syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWROUTE}, Data: []byte{2}}, false},
	} {
		if got := relevant(test.message); got != test.want {
			t.Errorf("%s: matters = %v, want %v", name, got, test.want)
		}
	}
}

// TestGateways_Order: in whatever order the kernel lists routes, the result is the same.
func TestGateways_Order(t *testing.T) {
	links := []lb.Link{{Name: "eth0", Index: 2}, {Name: "eth1", Index: 3}}
	route := func(family, index, metric int, gateway string) netlink.Route {
		return netlink.Route{Table: unix.RT_TABLE_MAIN, Family: family, LinkIndex: index, Priority: metric, Gw: netip.MustParseAddr(gateway).AsSlice()}
	}
	routes := []netlink.Route{
		route(netlink.FAMILY_V6, 2, 1024, "fe80::1"),
		route(netlink.FAMILY_V4, 2, 100, "192.0.2.1"),
		route(netlink.FAMILY_V6, 3, 1024, "fe80::1"),
		route(netlink.FAMILY_V4, 3, 100, "192.0.2.2"),
		route(netlink.FAMILY_V4, 3, 50, "192.0.2.3"),
		route(netlink.FAMILY_V6, 9, 1, "fe80::1"), // A link that was added after the links were read.
		route(netlink.FAMILY_V4, 3, 200, "192.0.2.1"),
		{Table: unix.RT_TABLE_MAIN, Family: netlink.FAMILY_V4, LinkIndex: 2, Gw: netip.MustParseAddr("192.0.2.9").AsSlice(), Flags: unix.RTNH_F_DEAD},
	}
	want := addresses("192.0.2.3", "192.0.2.1", "192.0.2.2", "fe80::1%eth0", "fe80::1%eth1")
	for i := range routes {
		turned := append(slices.Clone(routes[i:]), routes[:i]...)
		if got := addrsOf(gateways(turned, nil, links, tables(nil))); !slices.Equal(got, want) {
			t.Errorf("turned by %d: %v, want %v", i, got, want)
		}
	}
}

func TestGateways_OfVRFsAndBackups(t *testing.T) {
	links := []lb.Link{{Name: "eth0", Index: 2}}
	route := func(table, family, metric int, gateway string) netlink.Route {
		return netlink.Route{Table: table, Family: family, LinkIndex: 2, Priority: metric, Gw: netip.MustParseAddr(gateway).AsSlice()}
	}
	red := &netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: "red"}, Table: 10}
	got := gateways([]netlink.Route{
		route(unix.RT_TABLE_MAIN, netlink.FAMILY_V4, 200, "192.0.2.9"),
		route(unix.RT_TABLE_MAIN, netlink.FAMILY_V4, 100, "192.0.2.2"),
		route(unix.RT_TABLE_MAIN, netlink.FAMILY_V4, 100, "192.0.2.1"),
		route(unix.RT_TABLE_MAIN, netlink.FAMILY_V4, 300, "192.0.2.1"),
		route(unix.RT_TABLE_MAIN, netlink.FAMILY_V6, 1024, "2001:db8::1"),
		route(unix.RT_TABLE_MAIN, netlink.FAMILY_V4, 1, "2001:db8::9"), // IPv4 by an IPv6 router
		route(10, netlink.FAMILY_V4, 300, "192.0.2.1"),
		route(10, netlink.FAMILY_V4, 400, "192.0.2.8"),
		route(11, netlink.FAMILY_V4, 0, "192.0.2.7"), // no VRF: policy routing
	}, nil, links, tables([]netlink.Link{red}))
	want := []lb.Gateway{
		{Addr: netip.MustParseAddr("192.0.2.1")},
		{Addr: netip.MustParseAddr("192.0.2.2")},
		{Addr: netip.MustParseAddr("192.0.2.9"), Backup: true},
		{Addr: netip.MustParseAddr("2001:db8::1")},
		{Addr: netip.MustParseAddr("2001:db8::9"), Backup: true},
		{Addr: netip.MustParseAddr("192.0.2.1"), VRF: "red"},
		{Addr: netip.MustParseAddr("192.0.2.8"), VRF: "red", Backup: true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestSubscribe_RestsAfterALongRead: at most a fifth of the time is spent reading.
func TestSubscribe_RestsAfterALongRead(t *testing.T) {
	netnstest.Veth(t, "rest0", netnstest.New(t), "far0")
	const long = 50 * time.Millisecond
	var ended []time.Time
	done := make(chan error, 1)
	ctx := t.Context()
	stop := errors.New("stop")
	go func() {
		done <- Subscribe(ctx, func() error {
			if len(ended) == 1 {
				if waited := time.Since(ended[0]); waited < restFactor*long {
					t.Errorf("looked again after %v, want at least %v", waited, restFactor*long)
				}
				return stop
			}
			ip(t, "link set rest0 down")
			time.Sleep(long) // A long read.
			ended = append(ended, time.Now())
			return nil
		})
	}()
	if err := <-done; !errors.Is(err, stop) {
		t.Errorf("Subscribe ended with %v, want the error of read", err)
	}
}
