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

	"github.com/daymark-lb/daymark/internal/progress"
	"github.com/daymark-lb/daymark/speaker/trace"
)

// maxFrameLength is the most bytes that are read of a frame; ARP and NDP frames are far shorter.
const maxFrameLength = 2048

// addressSet is a set of desired addresses. One that has been published is never changed.
type addressSet map[netip.Addr]*vip

// frameHandler decides about what the sockets receive.
type frameHandler interface {
	// stale reports whether this node may have been replaced as holder.
	stale() bool
	// addressInUse handles the use of an address by another host on an interface.
	addressInUse(interfaceName string, u addressUse)
	// serves reports whether this node answers who asks for an address that may be shared.
	serves(interfaceName string, a *requester) bool
	// ownerOf returns the owner of a MAC address of the cluster; false: it belongs to a foreign host.
	ownerOf(m mac) (owner, bool)
}

// socket sends and receives one protocol on one interface.
type socket struct {
	name     string
	nic      nic
	protocol *protocol
	metrics  *familyMetrics
	handler  frameHandler
	tracer   *trace.Tracer
	conn     *packet.Conn
	raw      syscall.RawConn
	// addresses is read by the receiver for every frame. add and removeOthers replace the whole set; only one goroutine
	// at a time may call them.
	addresses atomic.Pointer[addressSet]
	// watched are those and the addresses of others whose use is reported; it is read for every frame, too. asked are the latter.
	watched atomic.Pointer[addressSet]
	asked   addressSet
	// groups are the multicast groups that the interface has joined for us; nil for ARP, which is broadcast.
	groups *multicastGroups
	// answering is how far the receiver is with what it has to do for a frame.
	answering progress.Tracker
	// trouble is that no frame can be sent now; nil: there is none. troubled is told when there is.
	trouble  atomic.Pointer[sendTrouble]
	troubled chan struct{}
	// closed: by close; broken: serve has ended with an error.
	closed, broken atomic.Bool
}

// open opens a socket without addresses.
func open(key socketKey, on nic, m *familyMetrics, handler frameHandler, tracer *trace.Tracer) (*socket, error) {
	p := protocols[key.family]
	filter, err := p.filter.assemble(on.index)
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
	s := &socket{name: key.name, nic: on, protocol: p, metrics: m, handler: handler, tracer: tracer, conn: conn, raw: raw}
	if p.solicited {
		s.groups = newMulticastGroups(on.index)
	}
	s.store(addressSet{})
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

// add adds addresses; those that are held are answered from now on. It returns the addresses that are new, even if
// others could not be added.
func (s *socket) add(addresses addressSet) ([]netip.Addr, error) {
	old := *s.addresses.Load()
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
		s.store(next)
	}
	return added, errors.Join(errs...)
}

// removeOthers removes all addresses but these, and returns the removed ones.
func (s *socket) removeOthers(addresses addressSet) []netip.Addr {
	old := *s.addresses.Load()
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
	s.store(next) // Before the groups are left: requests that are still received are not answered.
	if s.groups != nil {
		for _, addr := range removed {
			s.groups.leave(addr)
		}
	}
	return removed
}

// watch makes the socket report the use of addresses that are not ours.
func (s *socket) watch(asked addressSet) {
	s.asked = asked
	s.store(*s.addresses.Load())
}

func (s *socket) store(addresses addressSet) {
	watched := addresses
	if len(s.asked) > 0 {
		watched = maps.Clone(s.asked)
		maps.Copy(watched, addresses)
	}
	s.addresses.Store(&addresses)
	s.watched.Store(&watched)
}

// knows reports whether the socket has an address.
func (s *socket) knows(addr netip.Addr) bool { return (*s.addresses.Load())[addr] != nil }

// has reports whether the socket has an address in this state.
func (s *socket) has(v *vip) bool { return (*s.addresses.Load())[v.addr] == v }

// holds reports whether the socket answers for an address.
func (s *socket) holds(addr netip.Addr) bool {
	v := (*s.addresses.Load())[addr]
	return v != nil && v.held.Load()
}

// serve answers requests until the socket is closed (nil) or fails. It reads the descriptor directly, because the
// library's ReadFrom allocates an address for every frame: a frame that is not for us costs no memory.
func (s *socket) serve() error {
	var (
		frame = make([]byte, maxFrameLength)
		n     int
		err   error
	)
	read := func(fd uintptr) bool {
		n, err = unix.Read(int(fd), frame)
		return !errors.Is(err, unix.EAGAIN)
	}
	for {
		if readErr := s.raw.Read(read); readErr != nil {
			err = readErr
		}
		switch {
		case s.closed.Load():
			return nil
		case err == nil:
			s.handleFrame(frame[:n])
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOBUFS):
		default:
			return fmt.Errorf("receive: %w", err)
		}
	}
}

// handleFrame handles one frame that passed the filter: it answers a request for a held address, and reports the use of
// an address by another host. A process that may have been replaced as holder says nothing.
func (s *socket) handleFrame(frame []byte) {
	o := s.protocol.handle(s.nic.mac, *s.watched.Load(), frame)
	if o.request {
		s.metrics.received.Inc()
	}
	did := nothing
	if o.reply != nil || o.use.addr.IsValid() {
		did = s.act(&o)
	}
	if s.tracer.On() {
		s.traceReceived(frame, did)
		if did == answered {
			s.traceSent(o.reply, asAnswer)
		}
	}
}

// act does what a frame demands.
func (s *socket) act(o *outcome) (did reaction) {
	defer s.answering.Begin()(nil)
	if (o.reply != nil || o.use.held) && s.handler.stale() {
		s.metrics.droppedStale.Inc()
		return wasStale
	}
	switch {
	case o.reply == nil:
	case o.by.of != nil && !s.handler.serves(s.name, &o.by):
		did = anothers
	case s.send(o.reply, asAnswer):
		s.metrics.answered.Inc()
		did = answered
	default:
		did = couldNotSend
	}
	if o.use.addr.IsValid() {
		s.handler.addressInUse(s.name, o.use)
	}
	return did
}

// interfaceName implements sender.
func (s *socket) interfaceName() string { return s.name }

// announce implements sender. It sends the forms of an announcement in turns, and nothing for what is no longer held, or shared now.
func (s *socket) announce(addr netip.Addr, n int, look bool) {
	v := (*s.addresses.Load())[addr]
	if v == nil || !v.held.Load() || v.shared() != nil {
		return
	}
	forms := s.protocol.gratuitous(s.nic.mac, addr)
	if s.send(forms[n%len(forms)], asAnnouncement) {
		s.metrics.gratuitous.Inc()
	}
	if look && v.looksAgain.Load() {
		s.probe(addr)
	}
}

// probe sends a probe for an address, and reports whether it was sent.
func (s *socket) probe(addr netip.Addr) bool {
	if !s.knows(addr) || !s.send(s.protocol.probe(s.nic.mac, addr), asProbe) {
		return false
	}
	s.metrics.probes.Inc()
	return true
}

// ask asks a host whether it answers for an address. The source is our own address for IPv6.
func (s *socket) ask(addr netip.Addr, to mac, source netip.Addr) {
	if frame := s.protocol.question(s.nic.mac, addr, to, source); frame != nil && s.send(frame, asQuestion) {
		s.metrics.questions.Inc()
	}
}

// send sends a frame and reports whether the kernel took it. A failure is counted and watched: requests and announcements are
// repeated, and a node that cannot send lets go. The purpose is told to those who trace the address; that of an answer is told by
// handleFrame, after its request.
func (s *socket) send(frame []byte, as purpose) bool {
	_, err := s.conn.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]})
	if s.noteSent(err, as, frame); err != nil {
		s.metrics.failed.Inc()
		return false
	}
	if as != asAnswer && s.tracer.On() {
		s.traceSent(frame, as)
	}
	return true
}
