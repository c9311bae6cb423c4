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

// routes are those that count here: the default routes of all tables and the routes without a router. Routes of type
// blackhole and unreachable are among the default routes and have no next hop.
type routes struct {
	defaults []netlink.Route
	// onLink are the routes of the main table without a router, in the kernel's order.
	onLink []netlink.Route
	// policy are the links that other tables lead through, by index.
	policy map[int]bool
	// local are the IPv4 prefixes that the kernel takes for its own, by index of the link.
	local map[int][]netip.Prefix
}

// readRoutes reads all routing tables. A node that speaks a routing protocol may have very many; few are kept.
func readRoutes() (routes, error) {
	read := routes{policy: map[int]bool{}, local: map[int][]netip.Prefix{}}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		err := netlink.RouteListFilteredIter(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE,
			func(route netlink.Route) bool { read.add(route); return true })
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) {
			continue // A kernel without IPv6 has no IPv6 routes.
		}
		if err != nil {
			return routes{}, fmt.Errorf("list routes: %w", err)
		}
	}
	return read, nil
}

func (r *routes) add(route netlink.Route) {
	isDefault := route.Dst == nil || route.Dst.IP.IsUnspecified() && isZero(route.Dst.Mask)
	if isDefault && route.Table != unix.RT_TABLE_LOCAL {
		r.defaults = append(r.defaults, route)
	}
	switch {
	case route.Table == unix.RT_TABLE_LOCAL:
		r.addLocal(&route)
	case route.Table == unix.RT_TABLE_MAIN && isDefault:
	case route.Table == unix.RT_TABLE_MAIN && onLink(&route):
		r.onLink = append(r.onLink, route)
	case route.Table != unix.RT_TABLE_MAIN && route.Type == unix.RTN_UNICAST:
		r.policy[route.LinkIndex] = true
	}
}

// addLocal notes a prefix that the kernel answers ARP for, as long as it can be that of a pool. The host has those of 127.0.0.0/8 for
// itself, and one that takes every address there is could reach nobody.
func (r *routes) addLocal(route *netlink.Route) {
	prefix, ok := prefixOf(route.Dst)
	if ok && route.Type == unix.RTN_LOCAL && prefix.Addr().Is4() && prefix.Addr().IsGlobalUnicast() {
		r.local[route.LinkIndex] = append(r.local[route.LinkIndex], prefix.Masked())
	}
}

func isZero(mask []byte) bool { return !slices.ContainsFunc(mask, func(b byte) bool { return b != 0 }) }

// onLink reports whether a route leads to neighbors.
func onLink(route *netlink.Route) bool {
	return route.Type == unix.RTN_UNICAST && len(route.Gw) == 0 && route.Via == nil && len(route.MultiPath) == 0 && route.LinkIndex != 0
}

// assign gives each link the subnets that the kernel reaches through it: of several routes to one subnet the kernel uses the
// one with the lowest metric, and of those with the same metric the first.
func (r *routes) assign(links []lb.Link) {
	byIndex := make(map[int]*lb.Link, len(links))
	for i := range links {
		byIndex[links[i].Index] = &links[i]
		links[i].PolicyRouted = r.policy[links[i].Index]
		if !links[i].OfServiceProxy() { // It has a local route for each address of each Service.
			links[i].Local = localBeyond(r.local[links[i].Index], links[i].Addresses)
		}
	}
	slices.SortStableFunc(r.onLink, func(a, b netlink.Route) int { return cmp.Compare(a.Priority, b.Priority) })
	seen := map[netip.Prefix]bool{}
	for _, route := range r.onLink {
		subnet, ok := prefixOf(route.Dst)
		link := byIndex[route.LinkIndex]
		if !ok || seen[subnet] || link == nil || subnet.IsSingleIP() || !subnet.Addr().IsGlobalUnicast() {
			continue
		}
		seen[subnet] = true
		link.Routes = append(link.Routes, subnet)
	}
	for i := range links {
		slices.SortFunc(links[i].Routes, netip.Prefix.Compare)
	}
	r.assignDefaults(byIndex)
}

// localBeyond are those of local prefixes that are no single one of a link's own addresses, in order.
func localBeyond(local, addresses []netip.Prefix) []netip.Prefix {
	beyond := slices.DeleteFunc(slices.Clone(local), func(p netip.Prefix) bool {
		return p.IsSingleIP() && slices.ContainsFunc(addresses, func(own netip.Prefix) bool { return own.Addr() == p.Addr() })
	})
	slices.SortFunc(beyond, netip.Prefix.Compare)
	return slices.Compact(beyond)
}

// assignDefaults says by which links the default routes leave: those with the lowest metric, of which each may have several next hops.
func (r *routes) assignDefaults(byIndex map[int]*lb.Link) {
	for _, f := range []struct {
		netlink int
		family  lb.Family
	}{{netlink.FAMILY_V4, lb.IPv4}, {netlink.FAMILY_V6, lb.IPv6}} {
		var used []netlink.Route
		for _, route := range r.defaults {
			if route.Family == f.netlink && route.Table == unix.RT_TABLE_MAIN && route.Type == unix.RTN_UNICAST {
				used = append(used, route)
			}
		}
		if len(used) == 0 {
			continue
		}
		least := slices.MinFunc(used, func(a, b netlink.Route) int { return cmp.Compare(a.Priority, b.Priority) }).Priority
		for i := range used {
			for _, hop := range nextHops(&used[i]) {
				link := byIndex[hop.LinkIndex]
				if link != nil && used[i].Priority == least && hop.Flags&unix.RTNH_F_DEAD == 0 && !slices.Contains(link.DefaultRoute, f.family) {
					link.DefaultRoute = append(link.DefaultRoute, f.family)
				}
			}
		}
	}
}
