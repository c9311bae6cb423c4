package segment

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// crowdV4 is the host that a crowd of clients is on.
var crowdV4 = netip.MustParseAddr("192.0.2.190")

// CrowdMember is one of many clients: an interface with a MAC address and an address of its own, so that the kernel finds out for
// it alone where others are.
type CrowdMember struct {
	Link  string
	Index int // of the interface
	Addr  netip.Addr
}

// How many clients of each family a crowd has. The kernel has one table of IPv6 neighbors for all network namespaces, with six entries
// for each client that has asked for an address and was answered. It drops what is older than 5 s once it has 512 entries, and at
// 1,024 nobody on the machine can send to a neighbor that is not in it: "invalid argument".
const (
	crowdIPv4 = 150
	crowdIPv6 = 80
)

// JoinCrowd makes a host with a crowd of clients on the segment.
func (s *Segment) JoinCrowd(name string) (*Host, []CrowdMember, error) {
	h, err := s.Join(name, crowdV4)
	if err != nil {
		return nil, nil, err
	}
	// Each interface answers for its own address alone.
	// Interfaces are without IPv6 unless they need it, and look for no routers: that would be more entries.
	err = h.Sysctl(map[string]string{
		"ipv4/conf/all/arp_ignore": "1", "ipv4/conf/all/arp_announce": "2",
		"ipv6/conf/default/disable_ipv6": "1", "ipv6/conf/default/router_solicitations": "0",
	})
	if err != nil {
		return nil, nil, err
	}
	parent, err := h.Link("eth0")
	if err != nil {
		return nil, nil, err
	}
	var members []CrowdMember
	for i := range crowdIPv4 + crowdIPv6 {
		member := CrowdMember{Link: fmt.Sprintf("c%d", i), Addr: crowdAddress(i)}
		attributes := netlink.NewLinkAttrs()
		attributes.Name, attributes.ParentIndex = member.Link, parent.Attrs().Index
		attributes.HardwareAddr = net.HardwareAddr{2, 1, 0, 0, byte(i >> 8), byte(i)}
		link := &netlink.Macvlan{LinkAttrs: attributes, Mode: netlink.MACVLAN_MODE_BRIDGE}
		bits := 24
		if member.Addr.Is6() {
			bits = 64
		}
		err := h.Netlink().LinkAdd(link)
		if err == nil && member.Addr.Is6() {
			err = h.Sysctl(map[string]string{"ipv6/conf/" + member.Link + "/disable_ipv6": "0"})
		}
		if err := errors.Join(err, h.Up(member.Link), h.Address(member.Link, netip.PrefixFrom(member.Addr, bits))); err != nil {
			return nil, nil, fmt.Errorf("make client %d of the crowd: %w", i, err)
		}
		made, err := h.Link(member.Link)
		if err != nil {
			return nil, nil, err
		}
		member.Index = made.Attrs().Index
		members = append(members, member)
	}
	return h, members, nil
}

// crowdAddress is the address of a member: those that nodes, clients and pools leave free.
func crowdAddress(i int) netip.Addr {
	switch {
	case i >= crowdIPv4:
		return netip.MustParseAddr(fmt.Sprintf("2001:db8::1:%x", i))
	case i < 79:
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(20 + i)})
	default:
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(110 + i - 79)})
	}
}
