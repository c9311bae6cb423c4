package connections

import (
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// sources are addresses of clients on this node: its own and those of its pods. The node's own service proxy serves them whoever attracts
// the packets of others, and their connections end with the node.
type sources struct {
	own, pods map[netip.Addr]bool
	// ranges are those of bridges with pods.
	ranges []netip.Prefix
}

// has reports whether an address is one of the node's own clients.
func (s *sources) has(addr netip.Addr) bool {
	return s.own[addr] || s.pods[addr] || slices.ContainsFunc(s.ranges, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// ownSources looks for the clients on this node. Pods are told from clients on a segment by the kernel's routes, whatever network plugin
// made them: one for a single address by a veth, or one by a bridge all of whose ports are veths, or one by the node's own address.
// What leads to a router is none of them. What cannot be read is left out: then more is counted.
func ownSources() *sources {
	s := &sources{own: ownAddresses(), pods: map[netip.Addr]bool{}}
	links, err := netlink.LinkList()
	if err != nil {
		return s
	}
	kinds := podLinks(links)
	var routes []netlink.Route
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		list, err := netlink.RouteList(nil, family)
		if err != nil {
			return s
		}
		routes = append(routes, list...)
	}
	for i := range routes {
		if r := &routes[i]; r.Gw != nil && !s.own[addrOf(r.Gw)] {
			delete(kinds, r.LinkIndex)
		}
	}
	for i := range routes {
		s.add(&routes[i], kinds[routes[i].LinkIndex])
	}
	return s
}

// add takes in a route by a link of a kind; "": not one to pods.
func (s *sources) add(r *netlink.Route, kind string) {
	if kind == "" || r.Type != unix.RTN_UNICAST || r.Dst == nil {
		return
	}
	bits, all := r.Dst.Mask.Size()
	prefix := netip.PrefixFrom(addrOf(r.Dst.IP), bits)
	switch {
	case bits == 0 || prefix.Addr().IsLinkLocalUnicast():
	case bits == all:
		s.pods[prefix.Addr()] = true
	case kind == "bridge" || r.Gw != nil:
		s.ranges = append(s.ranges, prefix.Masked())
	}
}

// podLinks are the kinds of the links that may lead to pods, by their index: veths, and bridges that have no other ports.
func podLinks(links []netlink.Link) map[int]string {
	kinds, strange := map[int]string{}, map[int]bool{}
	for _, link := range links {
		kinds[link.Attrs().Index] = link.Type()
		if link.Type() != "veth" {
			strange[link.Attrs().MasterIndex] = true
		}
	}
	for _, link := range links {
		index := link.Attrs().Index
		if link.Attrs().MasterIndex != 0 || kinds[index] != "veth" && (kinds[index] != "bridge" || strange[index]) {
			delete(kinds, index)
		}
	}
	return kinds
}

func addrOf(ip net.IP) netip.Addr {
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

// ownAddresses returns the addresses of this node.
func ownAddresses() map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own[p.Addr().Unmap()] = true
		}
	}
	return own
}
