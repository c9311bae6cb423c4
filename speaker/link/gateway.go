package link

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// gateway is a next hop of a default route, with what orders it.
type gateway struct {
	addr netip.Addr
	// vrf is the first criterion: the main table, "", comes first.
	vrf string
	// rank is the second: see rank.
	rank int
	// metric of the route; the lowest is used first.
	metric int
	// preference of the router among those of one metric.
	preference preference
}

func (g gateway) compare(other gateway) int {
	return cmp.Or(strings.Compare(g.vrf, other.vrf), cmp.Compare(g.rank, other.rank), cmp.Compare(g.metric, other.metric),
		cmp.Compare(other.preference, g.preference), g.addr.Compare(other.addr))
}

// sameFamily reports whether the kernel uses one of two gateways in place of the other.
func (g gateway) sameFamily(other gateway) bool {
	return g.vrf == other.vrf && g.addr.Is4() == other.addr.Is4()
}

// gateways returns the next hops of default routes in order, without duplicates. Next hops of equal metric and preference, which the
// kernel does not order, are ordered by address. preferences are those of the routers, tables the names of the VRFs by their tables,
// with "" for the main one.
func gateways(routes []netlink.Route, preferences preferences, links []lb.Link, tables map[int]string) []lb.Gateway {
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Index] = l.Name
	}
	var found []gateway
	for _, route := range routes {
		vrf, known := tables[route.Table]
		for _, hop := range nextHops(&route) {
			if addr, ok := gatewayAddr(hop, names); ok && known {
				found = append(found, gateway{addr, vrf, rank(route.Family, addr), route.Priority, preferences[keyOf(&route)]})
			}
		}
	}
	slices.SortFunc(found, gateway.compare)
	return distinct(found)
}

// distinct returns sorted gateways, each once, and says which are backups.
func distinct(sorted []gateway) []lb.Gateway {
	var result []lb.Gateway
	for _, g := range sorted {
		best := sorted[slices.IndexFunc(sorted, g.sameFamily)]
		backup := best.rank != g.rank || best.metric != g.metric || best.preference != g.preference
		if !slices.ContainsFunc(result, func(known lb.Gateway) bool { return known.Addr == g.addr && known.VRF == g.vrf }) {
			result = append(result, lb.Gateway{Addr: g.addr, VRF: g.vrf, Backup: backup})
		}
	}
	return result
}

// rank returns 0 for an IPv4 router, 1 for an IPv6 router, and 2 for an IPv6 router that is the next hop of an IPv4
// route.
func rank(family int, addr netip.Addr) int {
	switch {
	case addr.Is4():
		return 0
	case family == netlink.FAMILY_V6:
		return 1
	default:
		return 2
	}
}

// nextHops returns the next hops of a route; most routes have one.
func nextHops(route *netlink.Route) []*netlink.NexthopInfo {
	if len(route.MultiPath) > 0 {
		return route.MultiPath
	}
	return []*netlink.NexthopInfo{{LinkIndex: route.LinkIndex, Flags: route.Flags, Gw: route.Gw, Via: route.Via}}
}

// gatewayAddr returns the address of a next hop. It returns false if the next hop has none (a point-to-point link), or
// if the kernel does not use it because its link is down or gone.
func gatewayAddr(hop *netlink.NexthopInfo, names map[int]string) (netip.Addr, bool) {
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
