package link

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// defaults reads the default routes of the main table. Those that refuse (blackhole, unreachable) are among them, and
// have no next hop.
func defaults() ([]netlink.Route, error) {
	var all []netlink.Route
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := netlink.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_DST)
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) {
			continue // A kernel without IPv6 has no routes of its kind.
		}
		if err != nil {
			return nil, fmt.Errorf("list default routes: %w", err)
		}
		all = append(all, routes...)
	}
	return all, nil
}

// gateway is a next hop of a default route, with what it is ordered by.
type gateway struct {
	addr netip.Addr
	// kind: an IPv4 router, an IPv6 router, an IPv6 router that IPv4 is routed by.
	kind int
	// metric of the route; the lowest is used.
	metric int
}

func (g gateway) compare(other gateway) int {
	return cmp.Or(cmp.Compare(g.kind, other.kind), cmp.Compare(g.metric, other.metric), g.addr.Compare(other.addr))
}

// gateways puts the next hops of default routes in order, each once. The kernel has no order of its own among those of
// one metric; here it is that of the addresses.
func gateways(routes []netlink.Route, links []lb.Link) []netip.Addr {
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Index] = l.Name
	}
	var found []gateway
	for _, route := range routes {
		for _, hop := range hops(&route) {
			if addr, ok := addressOf(hop, names); ok {
				found = append(found, gateway{addr, kind(route.Family, addr), route.Priority})
			}
		}
	}
	slices.SortFunc(found, gateway.compare)

	var result []netip.Addr
	for _, g := range found {
		if !slices.Contains(result, g.addr) {
			result = append(result, g.addr)
		}
	}
	return result
}

// kind of a gateway, given the family of its route.
func kind(family int, addr netip.Addr) int {
	switch {
	case addr.Is4():
		return 0
	case family == netlink.FAMILY_V6:
		return 1
	default:
		return 2
	}
}

// hops are the next hops of a route, of which most have one.
func hops(route *netlink.Route) []*netlink.NexthopInfo {
	if len(route.MultiPath) > 0 {
		return route.MultiPath
	}
	return []*netlink.NexthopInfo{{LinkIndex: route.LinkIndex, Flags: route.Flags, Gw: route.Gw, Via: route.Via}}
}

// addressOf is the address of a next hop; false when it has none (a point-to-point link) or when the kernel does not use
// it, because its link is down or gone.
func addressOf(hop *netlink.NexthopInfo, names map[int]string) (netip.Addr, bool) {
	raw := hop.Gw
	if via, ok := hop.Via.(*netlink.Via); ok && via != nil {
		raw = via.Addr
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok || hop.Flags&unix.RTNH_F_DEAD != 0 {
		return netip.Addr{}, false
	}
	if addr = addr.Unmap(); !addr.IsLinkLocalUnicast() || addr.Is4() {
		return addr, true
	}
	name := names[hop.LinkIndex]
	return addr.WithZone(name), name != ""
}
