package layer2

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/ndp"
	"golang.org/x/sys/unix"
)

// multicastGroups makes an interface listen to the solicited-node multicast groups of addresses (RFC 4291 section
// 2.7.1).
//
// It joins them as an IPv6 host does, with UDP sockets that are never read. Then the kernel opens the interface's
// filter and also reports the group by MLD. A membership of the packet socket (or allmulti) would do only the first,
// and a switch that snoops MLD would not forward the solicitations to us.
//
// Several addresses may share a group. It is left when the last of them leaves.
type multicastGroups struct {
	index   int
	sockets []*groupSocket
	members map[netip.Addr]*membership
}

// groupSocket is a socket that has joined some groups.
type groupSocket struct{ descriptor, groups int }

// membership is the socket that joined a group, and the number of addresses that need it.
type membership struct {
	socket *groupSocket
	users  int
}

func newMulticastGroups(index int) *multicastGroups {
	return &multicastGroups{index: index, members: map[netip.Addr]*membership{}}
}

// join adds an address, and joins its group if it is the first.
func (g *multicastGroups) join(addr netip.Addr) error {
	group, err := ndp.SolicitedNodeMulticast(addr)
	if err != nil {
		return fmt.Errorf("find the group of %v: %w", addr, err)
	}
	if member := g.members[group]; member != nil {
		member.users++
		return nil
	}
	socket, err := g.joinBySocket(group)
	if err != nil {
		return fmt.Errorf("join the group of %v: %w", addr, err)
	}
	g.members[group] = &membership{socket: socket, users: 1}
	return nil
}

// joinBySocket joins a group and returns the socket that did. It tries the newest socket and opens another when that is
// full: the kernel bounds the memory of each (net.core.optmem_max), which is enough for some hundreds of groups.
func (g *multicastGroups) joinBySocket(group netip.Addr) (*groupSocket, error) {
	err := error(unix.ENOBUFS)
	if last := len(g.sockets) - 1; last >= 0 {
		if err = g.setOption(g.sockets[last].descriptor, unix.IPV6_JOIN_GROUP, group); err == nil {
			g.sockets[last].groups++
			return g.sockets[last], nil
		}
	}
	if !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.ENOMEM) {
		return nil, err
	}
	descriptor, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := g.setOption(descriptor, unix.IPV6_JOIN_GROUP, group); err != nil {
		return nil, errors.Join(err, unix.Close(descriptor))
	}
	socket := &groupSocket{descriptor, 1}
	g.sockets = append(g.sockets, socket)
	return socket, nil
}

// leave removes an address, and leaves its group if it was the last. A socket without a group is closed.
func (g *multicastGroups) leave(addr netip.Addr) {
	group, err := ndp.SolicitedNodeMulticast(addr)
	member := g.members[group]
	if err != nil || member == nil {
		return
	}
	if member.users--; member.users > 0 {
		return
	}
	delete(g.members, group)
	// A failure means that the interface is gone, and the membership with it.
	_ = g.setOption(member.socket.descriptor, unix.IPV6_LEAVE_GROUP, group)
	if member.socket.groups--; member.socket.groups == 0 {
		_ = unix.Close(member.socket.descriptor)
		g.sockets = slices.DeleteFunc(g.sockets, func(s *groupSocket) bool { return s == member.socket })
	}
}

// close leaves all groups.
func (g *multicastGroups) close() {
	for _, socket := range g.sockets {
		_ = unix.Close(socket.descriptor)
	}
	g.sockets, g.members = nil, nil
}

func (g *multicastGroups) setOption(socket, option int, group netip.Addr) error {
	return unix.SetsockoptIPv6Mreq(socket, unix.IPPROTO_IPV6, option,
		&unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(g.index)}) //nolint:gosec // Never negative.
}
