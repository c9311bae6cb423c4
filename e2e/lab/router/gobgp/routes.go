package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routeSet is the next hops, sorted, for each prefix.
type routeSet map[netip.Prefix][]netip.Addr

// learned reads all paths and keeps, for each prefix, those as short as the best.
func learned(s *server.BgpServer) (routeSet, error) {
	routes := routeSet{}
	for _, family := range []bgp.Family{bgp.RF_IPv4_UC, bgp.RF_IPv6_UC} {
		request := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: family}
		err := s.ListPath(request, func(nlri bgp.NLRI, paths []*apiutil.Path) {
			prefix, err := netip.ParsePrefix(nlri.String())
			if err != nil || len(paths) == 0 {
				return
			}
			for _, p := range paths { // the best comes first
				if hop := nextHop(p); hop.IsValid() && pathLength(p) == pathLength(paths[0]) {
					routes[prefix] = append(routes[prefix], hop)
				}
			}
			slices.SortFunc(routes[prefix], netip.Addr.Compare)
			routes[prefix] = slices.Compact(routes[prefix])
		})
		if err != nil {
			return nil, fmt.Errorf("list paths: %w", err)
		}
	}
	return routes, nil
}

func nextHop(p *apiutil.Path) netip.Addr {
	for _, attribute := range p.Attrs {
		switch a := attribute.(type) {
		case *bgp.PathAttributeNextHop:
			return a.Value
		case *bgp.PathAttributeMpReachNLRI:
			return a.Nexthop
		}
	}
	return netip.Addr{}
}

func pathLength(p *apiutil.Path) (n int) {
	for _, attribute := range p.Attrs {
		if path, ok := attribute.(*bgp.PathAttributeAsPath); ok {
			for _, segment := range path.Value {
				n += segment.ASLen()
			}
		}
	}
	return n
}

// kernel is the routes that this program has put into the kernel's main table.
type kernel struct {
	netlink *netlink.Handle
	has     routeSet
}

func newKernel() (*kernel, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	return &kernel{handle, routeSet{}}, nil
}

// set makes the kernel's routes those wanted. What fails is tried again by the next call.
func (k *kernel) set(wanted routeSet) error {
	var errs []error
	for prefix, hops := range wanted {
		if slices.Equal(k.has[prefix], hops) {
			continue
		}
		if err := k.netlink.RouteReplace(route(prefix, hops)); err != nil {
			errs = append(errs, fmt.Errorf("route %s: %w", prefix, err))
			continue
		}
		k.has[prefix] = hops
	}
	for prefix := range k.has {
		if len(wanted[prefix]) > 0 {
			continue
		}
		if err := k.netlink.RouteDel(route(prefix, nil)); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("remove the route %s: %w", prefix, err))
			continue
		}
		delete(k.has, prefix)
	}
	return errors.Join(errs...)
}

func route(prefix netip.Prefix, hops []netip.Addr) *netlink.Route {
	r := &netlink.Route{
		Dst:      &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())},
		Protocol: unix.RTPROT_BGP,
	}
	for _, hop := range hops {
		r.MultiPath = append(r.MultiPath, &netlink.NexthopInfo{Gw: hop.AsSlice()})
	}
	return r
}
