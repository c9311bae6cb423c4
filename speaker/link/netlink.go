package link

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/lb"
)

// interrupted is how often a reading that the kernel changed under our hands is repeated before it counts as failed.
const interrupted = 10

var errInterrupted = errors.New("the kernel's table kept changing while it was read")

// subscription hears of changes of links and addresses.
type subscription struct {
	socket *nl.NetlinkSocket
	wake   chan struct{}
}

// subscribe opens one socket for all three groups, so that nothing is heard of an address before its link.
func subscribe() (*subscription, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of links and addresses: %w", err)
	}
	return &subscription{socket: socket, wake: make(chan struct{}, 1)}, nil
}

// close ends the subscription and with it the pump.
func (s *subscription) close() { s.socket.Close() }

// pump turns notifications into wakes until the socket fails or is closed. It never waits for the receiver, so the
// socket's buffer is emptied as fast as the kernel fills it; where it overflows all the same (ENOBUFS), what was lost
// is made good by the reading that every wake leads to.
func (s *subscription) pump() error {
	defer close(s.wake)
	for {
		_, _, err := s.socket.Receive()
		if err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("receive changes of links and addresses: %w", err)
		}
		wake(s.wake)
	}
}

// dump reads all links with their addresses, in order of name.
func dump() ([]lb.Link, error) {
	for range interrupted {
		links, err := netlink.LinkList()
		if err == nil {
			var addrs []netlink.Addr
			if addrs, err = netlink.AddrList(nil, netlink.FAMILY_ALL); err == nil {
				return table(links, addrs), nil
			}
		}
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return nil, err
		}
	}
	return nil, errInterrupted
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
