package link

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// interrupted is how often a reading that the kernel changed under our hands is repeated before it counts as failed.
const interrupted = 10

var errInterrupted = errors.New("the kernel's table kept changing while it was read")

// known is what one reading of the kernel's tables gives.
type known struct {
	links    []lb.Link
	gateways []netip.Addr
}

// dump reads all links with their addresses, in order of name, and the default gateways, in order of use.
func dump() (known, error) {
	for range interrupted {
		all, err := attempt()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return known{}, errInterrupted
}

// attempt is one reading, which the kernel may interrupt.
func attempt() (known, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return known{}, err
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return known{}, err
	}
	routes, err := defaults()
	if err != nil {
		return known{}, err
	}
	all := known{links: table(links, addrs)}
	all.gateways = gateways(routes, all.links)
	return all, nil
}

// table joins links and addresses into our own terms.
func table(links []netlink.Link, addrs []netlink.Addr) []lb.Link {
	kinds := make(map[int]string, len(links))
	for _, link := range links {
		kinds[link.Attrs().Index] = link.Type()
	}
	prefixes := make(map[int][]netip.Prefix, len(links))
	for _, addr := range addrs {
		if prefix, ok := prefixOf(addr.IPNet); ok {
			prefixes[addr.LinkIndex] = append(prefixes[addr.LinkIndex], prefix)
		}
	}

	result := make([]lb.Link, 0, len(links))
	for _, link := range links {
		attrs := link.Attrs()
		own := prefixes[attrs.Index]
		slices.SortFunc(own, func(a, b netip.Prefix) int {
			return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
		})
		result = append(result, lb.Link{
			Name:      attrs.Name,
			Index:     attrs.Index,
			Up:        attrs.Flags&net.FlagUp != 0 && attrs.RawFlags&unix.IFF_LOWER_UP != 0,
			MAC:       macOf(attrs),
			Enslaved:  attrs.MasterIndex != 0 && speaksForMembers(kinds[attrs.MasterIndex]),
			NoARP:     withoutNeighbors(attrs),
			Addresses: own,
		})
	}
	slices.SortFunc(result, func(a, b lb.Link) int { return strings.Compare(a.Name, b.Name) })
	return result
}

// prefixOf keeps the address with the length of its on-link prefix, host bits and all.
func prefixOf(ipnet *net.IPNet) (netip.Prefix, bool) {
	if ipnet == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(ipnet.IP)
	ones, _ := ipnet.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones), ok
}

// macOf is the Ethernet address; tunnels carry their IP address in the same place, which is none.
func macOf(attrs *netlink.LinkAttrs) string {
	if attrs.EncapType != "ether" || len(attrs.HardwareAddr) != 6 {
		return ""
	}
	return attrs.HardwareAddr.String()
}

// withoutNeighbors: nobody asks there by ARP or NDP who has an address.
func withoutNeighbors(attrs *netlink.LinkAttrs) bool {
	const silent = unix.IFF_NOARP | unix.IFF_LOOPBACK | unix.IFF_POINTOPOINT
	return attrs.RawFlags&silent != 0 || macOf(attrs) == ""
}

// speaksForMembers tells masters that answer in the place of their members (bridge, bond, team, Open vSwitch) from a
// VRF, whose members keep a voice of their own. The kind is "" when the master is not in this namespace.
func speaksForMembers(kind string) bool { return kind != "vrf" }
