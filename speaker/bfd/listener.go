package bfd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// The ports that BFD packets are sent to (RFC 5881 section 4, RFC 5883 section 5).
const (
	singleHopPort = 3784
	multiHopPort  = 4784
)

// ear says what a listener hears.
type ear struct {
	v6, multiHop bool
	device       string
}

func (e ear) network() string {
	if e.v6 {
		return "udp6" // IPv6 only: IPv4 has a socket of its own.
	}
	return "udp4"
}

func (e ear) port() int {
	if e.multiHop {
		return multiHopPort
	}
	return singleHopPort
}

// listener is a socket that all packets of a kind arrive at.
type listener struct {
	ear  ear
	conn *net.UDPConn
	raw  syscall.RawConn
	// fd is used with the Monitor's lock held, and not once closed is set.
	fd     int
	closed bool
	// device is the index of the VRF it is bound to; 0: none.
	device int
}

// listen gives the listener for an ear, opening it if it is not open.
func (m *Monitor) listen(ctx context.Context, e ear, device int) (*listener, error) {
	if l := m.listeners[e]; l != nil {
		if l.device == device {
			return l, nil
		}
		m.drop(l) // Its VRF is another by now. forsake takes care of who still stands on it.
	}
	conn, err := m.bind(ctx, e)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("another process has UDP port %d, such as FRR's bfdd: one alone can do BFD on a node: %w", e.port(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on UDP port %d: %w", e.port(), err)
	}
	l := &listener{ear: e, conn: conn, device: device}
	if l.raw, l.fd, err = rawOf(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	m.listeners[e] = l
	m.readers.Go(func() { m.read(l) })
	return l, nil
}

// bind binds a socket. No other process may have the port, or packets would go astray without a word. A socket of a VRF and
// one of none, both ours, may: they agree on that for the moment of binding only.
func (m *Monitor) bind(ctx context.Context, e ear) (*net.UDPConn, error) {
	conn, err := bindOne(ctx, e, false)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return conn, err
	}
	var siblings []int
	for other, l := range m.listeners {
		if other.v6 == e.v6 && other.multiHop == e.multiHop {
			siblings = append(siblings, l.fd)
		}
	}
	if len(siblings) == 0 {
		return nil, err
	}
	share := func(value int) (errs []error) {
		for _, fd := range siblings {
			errs = append(errs, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, value))
		}
		return errs
	}
	errs := share(1)
	conn, err = bindOne(ctx, e, true)
	if err := errors.Join(append(errs, share(0)...)...); err != nil && conn != nil {
		return nil, errors.Join(fmt.Errorf("share the port with VRFs: %w", err), conn.Close())
	}
	return conn, err
}

// bindOne binds a socket, if shared to a port that others, who permit it too, have.
func bindOne(ctx context.Context, e ear, shared bool) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: control(func(fd int) []error {
		errs := []error{receiveOptions(fd, e), bindToDevice(fd, e.device)}
		if shared {
			errs = append(errs, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
		}
		return errs
	})}
	conn, err := config.ListenPacket(ctx, e.network(), fmt.Sprintf(":%d", e.port()))
	if err != nil {
		return nil, err //nolint:wrapcheck // The caller says what for.
	}
	udp := conn.(*net.UDPConn)
	if shared { // Nobody else may do the same.
		_, fd, err := rawOf(udp)
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("keep the port to ourselves: %w", err), udp.Close())
		}
	}
	return udp, nil
}

// prune lets go of listeners that no session needs.
func (m *Monitor) prune() {
	needed := map[ear]struct{}{}
	for p := range m.watches {
		needed[p.ear()] = struct{}{}
	}
	for e, l := range m.listeners {
		if _, ok := needed[e]; !ok {
			m.drop(l)
		}
	}
}

// drop has a listener closed by unlock.
func (m *Monitor) drop(l *listener) {
	l.closed = true
	delete(m.listeners, l.ear)
	m.closing = append(m.closing, l)
}

// forsake shuts what stands on interfaces that are gone, or were replaced by others of the same name.
func (m *Monitor) forsake(links linkIndexes) {
	gone := func(name string, index int) bool {
		now, err := links.index(name)
		// That the interfaces cannot be listed does not mean that there are none.
		return errors.Is(err, errNoInterface) || err == nil && now != index
	}
	for e, l := range m.listeners {
		if gone(e.device, l.device) {
			m.drop(l)
		}
	}
	for _, w := range m.watches {
		if w.sender != nil && (w.listener.closed || gone(w.path.peer.Zone(), w.link) || gone(w.path.device, w.device)) {
			m.shut(w)
		}
	}
}
