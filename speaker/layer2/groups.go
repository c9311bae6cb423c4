package layer2

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/ndp"
	"golang.org/x/sys/unix"
)

// groups makes an interface listen to the solicited-node groups of held addresses (RFC 4291 section 2.7.1).
//
// It joins them as an IPv6 host does, by a socket of its own that is never read: then the kernel opens the interface's
// filter and also tells the switches by MLD. A membership of the packet socket (or of all groups) would do only the
// first, and a switch that snoops on MLD would keep the solicitations from us.
//
// Many addresses may share a group: it is left with the last of them.
type groups struct {
	index   int
	sockets []int
	members map[netip.Addr]*membership
}

// membership of a group: the socket that joined it, and how many addresses need it.
type membership struct{ socket, users int }

func newGroups(index int) *groups {
	return &groups{index: index, members: map[netip.Addr]*membership{}}
}

// join listens to the group of one more address.
func (g *groups) join(addr netip.Addr) error {
	group, err := ndp.SolicitedNodeMulticast(addr)
	if err != nil {
		return fmt.Errorf("find the group of %v: %w", addr, err)
	}
	if member := g.members[group]; member != nil {
		member.users++
		return nil
	}
	socket, err := g.enter(group)
	if err != nil {
		return fmt.Errorf("join the group of %v: %w", addr, err)
	}
	g.members[group] = &membership{socket: socket, users: 1}
	return nil
}

// enter joins by the newest socket, and by another one when that is full: the kernel bounds the memory of each
// (net.core.optmem_max), which comes to some hundreds of groups.
func (g *groups) enter(group netip.Addr) (int, error) {
	err := error(unix.ENOBUFS)
	if last := len(g.sockets) - 1; last >= 0 {
		if err = g.option(g.sockets[last], unix.IPV6_JOIN_GROUP, group); err == nil {
			return g.sockets[last], nil
		}
	}
	if !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.ENOMEM) {
		return 0, err
	}
	socket, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	g.sockets = append(g.sockets, socket)
	return socket, g.option(socket, unix.IPV6_JOIN_GROUP, group)
}

// leave gives up an address's share in its group.
func (g *groups) leave(addr netip.Addr) {
	group, err := ndp.SolicitedNodeMulticast(addr)
	member := g.members[group]
	if err != nil || member == nil {
		return
	}
	if member.users--; member.users == 0 {
		delete(g.members, group)
		// A failure means that the interface is gone, and the membership with it.
		_ = g.option(member.socket, unix.IPV6_LEAVE_GROUP, group)
	}
}

// close leaves all groups.
func (g *groups) close() {
	for _, socket := range g.sockets {
		_ = unix.Close(socket)
	}
	g.sockets, g.members = nil, nil
}

func (g *groups) option(socket, option int, group netip.Addr) error {
	return unix.SetsockoptIPv6Mreq(socket, unix.IPPROTO_IPV6, option,
		&unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(g.index)}) //nolint:gosec // Never negative.
}
