package bfd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// The destination ports of BFD packets (RFC 5881 section 4, RFC 5883 section 5).
const (
	singleHopPort = 3784
	multiHopPort  = 4784
)

// listenerKey identifies a listener: by family, single-hop or multihop, and VRF (device; empty for none).
type listenerKey struct {
	v6, multiHop bool
	device       string
}

func (key listenerKey) network() string {
	if key.v6 {
		return "udp6" // IPv6 only: IPv4 has its own socket.
	}
	return "udp4"
}

func (key listenerKey) port() int {
	if key.multiHop {
		return multiHopPort
	}
	return singleHopPort
}

// listener is a socket that receives the packets of all sessions with the same listenerKey.
type listener struct {
	key  listenerKey
	conn *net.UDPConn
	raw  syscall.RawConn
	// fd is used with the Monitor's lock held, and not after closed is set.
	fd     int
	closed bool
	// deviceIndex is the index of the VRF to which the socket is bound; 0 for none.
	deviceIndex int
}

// listenerFor returns the listener of a key. If it is not open, listenerFor opens it.
func (m *Monitor) listenerFor(ctx context.Context, key listenerKey, device int) (*listener, error) {
	if l := m.listeners[key]; l != nil {
		if l.deviceIndex == device {
			return l, nil
		}
		m.closeListener(l) // The VRF was replaced. closeStale closes the sockets of the sessions that use the old one.
	}
	conn, err := m.bind(ctx, key)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf(
			"another process has UDP port %d, such as FRR's bfdd: only one process can run BFD on a node: %w", key.port(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on UDP port %d: %w", key.port(), err)
	}
	l := &listener{key: key, conn: conn, deviceIndex: device}
	if l.raw, l.fd, err = rawOf(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	m.listeners[key] = l
	m.readers.Go(func() { m.readLoop(l) })
	return l, nil
}

// bind binds a socket. No other process may have the port: each would get a part of the packets. Our own sockets of several
// VRFs share the port: they permit it to each other only while one is being bound.
func (m *Monitor) bind(ctx context.Context, key listenerKey) (*net.UDPConn, error) {
	conn, err := bindOne(ctx, key, false)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return conn, err
	}
	var siblings []int
	for other, l := range m.listeners {
		if other.v6 == key.v6 && other.multiHop == key.multiHop {
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
	conn, err = bindOne(ctx, key, true)
	if err := errors.Join(append(errs, share(0)...)...); err != nil && conn != nil {
		return nil, errors.Join(fmt.Errorf("share the port with VRFs: %w", err), conn.Close())
	}
	return conn, err
}

// bindOne binds a socket. With shared, it binds to a port that other sockets have, if they permit it.
func bindOne(ctx context.Context, key listenerKey, shared bool) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: control(func(fd int) []error {
		errs := []error{receiveOptions(fd, key), bindToDevice(fd, key.device)}
		if shared {
			errs = append(errs, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
		}
		return errs
	})}
	conn, err := config.ListenPacket(ctx, key.network(), fmt.Sprintf(":%d", key.port()))
	if err != nil {
		return nil, err //nolint:wrapcheck // The caller says what for.
	}
	udp := conn.(*net.UDPConn)
	if shared { // From now on, nobody else may share the port.
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

// closeUnusedListeners closes the listeners that no session needs.
func (m *Monitor) closeUnusedListeners() {
	needed := map[listenerKey]struct{}{}
	for p := range m.sessions {
		needed[p.listenerKey()] = struct{}{}
	}
	for key, l := range m.listeners {
		if _, ok := needed[key]; !ok {
			m.closeListener(l)
		}
	}
}

// closeListener removes a listener. unlockAndClose will close its socket.
func (m *Monitor) closeListener(l *listener) {
	l.closed = true
	delete(m.listeners, l.key)
	m.closing = append(m.closing, l)
}

// closeStale closes sockets whose interfaces are gone or were replaced by others of the same name.
func (m *Monitor) closeStale(links linkIndexes) {
	gone := func(name string, index int) bool {
		now, err := links.index(name)
		// When the interfaces cannot be listed, they may still exist.
		return errors.Is(err, errNoInterface) || err == nil && now != index
	}
	for key, l := range m.listeners {
		if gone(key.device, l.deviceIndex) {
			m.closeListener(l)
		}
	}
	for _, s := range m.sessions {
		if s.sender != nil && (s.listener.closed || gone(s.path.peer.Zone(), s.linkIndex) || gone(s.path.device, s.deviceIndex)) {
			m.closeSockets(s)
		}
	}
}
