package layer2

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// longest frame that is read whole: the questions we answer are far shorter.
const longest = 2048

// set of addresses. One that has been published is never written again.
type set map[netip.Addr]struct{}

// socket is our ear and mouth for one protocol on one interface.
type socket struct {
	nic      nic
	protocol *protocol
	metrics  *familyMetrics
	conn     *packet.Conn
	raw      syscall.RawConn
	// held is read by the receiver for every frame and replaced as a whole by add and keep, which one goroutine at a
	// time may call.
	held atomic.Pointer[set]
	// groups that the interface listens to for our sake; nil where questions are broadcast.
	groups *groups
	// closed: by us; broken: the receiver has ended by itself.
	closed, broken atomic.Bool
}

// open opens a socket that holds nothing yet.
func open(on nic, p *protocol, m *familyMetrics) (*socket, error) {
	filter, err := p.filter.assemble()
	if err != nil {
		return nil, fmt.Errorf("assemble the %s filter: %w", p.name, err)
	}
	conn, err := packet.Listen(&net.Interface{Index: on.index}, packet.Raw, p.etherType, &packet.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a packet socket: %w", err), conn.Close())
	}
	s := &socket{nic: on, protocol: p, metrics: m, conn: conn, raw: raw}
	if p.solicited {
		s.groups = newGroups(on.index)
	}
	s.held.Store(&set{})
	return s, nil
}

// close makes serve return.
func (s *socket) close() {
	s.closed.Store(true)
	_ = s.conn.Close() // Nothing is lost with a packet socket.
	if s.groups != nil {
		s.groups.close()
	}
}

// add begins to answer for addresses and returns those that are new, even when some others cannot be had.
func (s *socket) add(addresses set) ([]netip.Addr, error) {
	old := *s.held.Load()
	var (
		added []netip.Addr
		errs  []error
	)
	for addr := range addresses {
		if _, held := old[addr]; held {
			continue
		}
		if s.groups != nil {
			if err := s.groups.join(addr); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		added = append(added, addr)
	}
	if len(added) > 0 {
		next := maps.Clone(old)
		for _, addr := range added {
			next[addr] = struct{}{}
		}
		s.held.Store(&next)
	}
	return added, errors.Join(errs...)
}

// keep stops to answer for all but these addresses, and returns those that went.
func (s *socket) keep(addresses set) []netip.Addr {
	old := *s.held.Load()
	var removed []netip.Addr
	for addr := range old {
		if _, kept := addresses[addr]; !kept {
			removed = append(removed, addr)
		}
	}
	if len(removed) == 0 {
		return nil
	}
	next := maps.Clone(old)
	for _, addr := range removed {
		delete(next, addr)
	}
	s.held.Store(&next) // Silent before the groups are left: what is left to arrive is not answered.
	if s.groups != nil {
		for _, addr := range removed {
			s.groups.leave(addr)
		}
	}
	return removed
}

// serve answers what is asked until the socket is closed (nil) or breaks. The library's ReadFrom would make an address
// for every frame, so the descriptor is read directly: a frame that is not for us costs no memory.
func (s *socket) serve() error {
	var (
		frame = make([]byte, longest)
		n     int
		err   error
	)
	read := func(fd uintptr) bool {
		n, err = unix.Read(int(fd), frame)
		return !errors.Is(err, unix.EAGAIN)
	}
	for {
		if waiting := s.raw.Read(read); waiting != nil {
			err = waiting
		}
		switch {
		case s.closed.Load():
			return nil
		case err == nil:
			s.answer(frame[:n])
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOBUFS):
		default:
			return fmt.Errorf("receive: %w", err)
		}
	}
}

// answer answers one frame that the filter let through, if it is a question about a held address.
func (s *socket) answer(frame []byte) {
	s.metrics.received.Inc()
	reply := s.protocol.answer(s.nic.mac, *s.held.Load(), frame)
	if reply != nil && s.send(reply) {
		s.metrics.answered.Inc()
	}
}

// announce tells the segment that an address is at our MAC address, unless it is no longer held.
func (s *socket) announce(addr netip.Addr) {
	if _, held := (*s.held.Load())[addr]; !held {
		return
	}
	for _, frame := range s.protocol.announcement(s.nic.mac, addr) {
		if s.send(frame) {
			s.metrics.gratuitous.Inc()
		}
	}
}

// send sends a frame. One that cannot be sent is counted and no more: questions and announcements are repeated, and a
// socket that is of no use any more is noticed by the receiver.
func (s *socket) send(frame []byte) bool {
	if _, err := s.conn.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]}); err != nil {
		s.metrics.failed.Inc()
		return false
	}
	return true
}
