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

// longest frame that is read whole: those that we listen to are far shorter.
const longest = 2048

// table of addresses that were asked for. One that has been published is never written again.
type table map[netip.Addr]*vip

// judge rules on what the sockets hear.
type judge interface {
	// doubtful: this node may have been replaced as a holder.
	doubtful() bool
	// claimed: somebody claims an address on an interface.
	claimed(on string, c claim)
}

// socket is our ear and mouth for one protocol on one interface.
type socket struct {
	name     string
	nic      nic
	protocol *protocol
	metrics  *familyMetrics
	judge    judge
	conn     *packet.Conn
	raw      syscall.RawConn
	// known is read by the receiver for every frame and replaced as a whole by add and keep, which one goroutine at a
	// time may call.
	known atomic.Pointer[table]
	// groups that the interface listens to for our sake; nil where questions are broadcast.
	groups *groups
	// closed: by us; broken: the receiver has ended by itself.
	closed, broken atomic.Bool
}

// open opens a socket that knows nothing yet.
func open(where place, on nic, m *familyMetrics, j judge) (*socket, error) {
	p := protocols[where.family]
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
	s := &socket{name: where.name, nic: on, protocol: p, metrics: m, judge: j, conn: conn, raw: raw}
	if p.solicited {
		s.groups = newGroups(on.index)
	}
	s.known.Store(&table{})
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

// add begins to listen for addresses, and to answer for those that are held. It returns those that are new, even when
// some others cannot be had.
func (s *socket) add(addresses table) ([]netip.Addr, error) {
	old := *s.known.Load()
	var (
		added []netip.Addr
		errs  []error
	)
	for addr := range addresses {
		if _, known := old[addr]; known {
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
			next[addr] = addresses[addr]
		}
		s.known.Store(&next)
	}
	return added, errors.Join(errs...)
}

// keep forgets all but these addresses, and returns those that went.
func (s *socket) keep(addresses table) []netip.Addr {
	old := *s.known.Load()
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
	s.known.Store(&next) // Silent before the groups are left: what is left to arrive is not answered.
	if s.groups != nil {
		for _, addr := range removed {
			s.groups.leave(addr)
		}
	}
	return removed
}

// knows reports whether the socket listens for an address.
func (s *socket) knows(addr netip.Addr) bool { return (*s.known.Load())[addr] != nil }

// holds reports whether the socket answers for an address.
func (s *socket) holds(addr netip.Addr) bool {
	v := (*s.known.Load())[addr]
	return v != nil && v.held.Load()
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
			s.hear(frame[:n])
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOBUFS):
		default:
			return fmt.Errorf("receive: %w", err)
		}
	}
}

// hear takes one frame that the filter let through: it answers a question about a held address and passes claims on. A
// process that stood still, and does not know yet whether another node has taken its place, says nothing.
func (s *socket) hear(frame []byte) {
	h := s.protocol.hear(s.nic.mac, *s.known.Load(), frame)
	if h.question {
		s.metrics.received.Inc()
	}
	if (h.reply != nil || h.claim.held) && s.judge.doubtful() {
		s.metrics.doubted.Inc()
		return
	}
	if h.reply != nil && s.send(h.reply) {
		s.metrics.answered.Inc()
	}
	if h.claim.addr.IsValid() {
		s.judge.claimed(s.name, h.claim)
	}
}

// announce tells the segment that an address is at our MAC address, unless it is no longer held.
func (s *socket) announce(addr netip.Addr) {
	if s.holds(addr) {
		s.gratuitous(s.protocol.announcement(s.nic.mac, addr))
	}
}

// defend says once that an address is ours: one packet, as RFC 5227 section 2.4 has it.
func (s *socket) defend(addr netip.Addr) {
	if s.holds(addr) {
		s.gratuitous(s.protocol.announcement(s.nic.mac, addr)[:1])
	}
}

func (s *socket) gratuitous(frames [][]byte) {
	for _, frame := range frames {
		if s.send(frame) {
			s.metrics.gratuitous.Inc()
		}
	}
}

// probe asks the segment whether somebody has an address that we know. It reports whether the question went out.
func (s *socket) probe(addr netip.Addr) bool {
	if !s.knows(addr) || !s.send(s.protocol.probe(s.nic.mac, addr)) {
		return false
	}
	s.metrics.probes.Inc()
	return true
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
