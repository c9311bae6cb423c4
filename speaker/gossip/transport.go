package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/speaker/alarm"
)

const (
	// receiveRetryInterval is the wait after a failure to accept, usually for lack of file descriptors.
	receiveRetryInterval = 100 * time.Millisecond
	// maxWaiting is how many datagrams wait for memberlist at most; it takes them at once as long as it runs.
	maxWaiting = 1024
	// maxDrained is how many datagrams are taken before others may have the lock.
	maxDrained = 256
	// maxDrains is how often: more than the socket's buffer has room for.
	maxDrains = 16
)

// receiver takes a sealed datagram from an address, which has waited in the socket, and is valid until it returns.
type receiver func(from netip.Addr, datagram []byte, waited time.Duration)

// transport carries datagrams and connections for memberlist, and beside those our own sealed datagrams. memberlist's own
// transport allocates 64 KiB for every datagram.
type transport struct {
	log     *slog.Logger
	tcp     *net.TCPListener
	guard   *guard
	sealed  receiver
	packets chan *memberlist.Packet
	streams chan net.Conn
	closed  chan struct{}
	closing sync.Once
	working sync.WaitGroup

	// udp sends without the lock; receiving is one at a time.
	udp *datagramSocket
	mu  sync.Mutex
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// listen returns a transport that listens on an address by UDP and TCP; port 0 is any free one.
func listen(at netip.AddrPort, log *slog.Logger, guard *guard, sealed receiver) (memberlist.NodeAwareTransport, error) {
	tcp, err := listenTCP(at)
	if err != nil {
		return nil, err
	}
	t := &transport{
		log: log, tcp: tcp, guard: guard, sealed: sealed,
		packets: make(chan *memberlist.Packet, maxWaiting), streams: make(chan net.Conn), closed: make(chan struct{}),
	}
	if t.udp, err = openDatagramSocket(netip.AddrPortFrom(at.Addr(), t.at().Port())); err != nil {
		_ = tcp.Close()
		return nil, err
	}
	t.working.Go(func() {
		t.udp.await(func() {
			t.drain()
			alarm.Awake()
		})
	})
	t.working.Go(t.accept)
	return t, nil
}

// listenTCP listens for connections whose buffers are small, because what waits there is our memory as well.
func listenTCP(at netip.AddrPort) (*net.TCPListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { //nolint:wrapcheck // It is open.
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, streamBuffer) // Larger ones do as well.
		})
	}}
	listener, err := config.Listen(context.Background(), "tcp", at.String())
	if err != nil {
		return nil, err //nolint:wrapcheck // Start does.
	}
	return listener.(*net.TCPListener), nil //nolint:forcetypeassert // By the network.
}

func (t *transport) at() netip.AddrPort {
	at := t.tcp.Addr().(*net.TCPAddr).AddrPort() //nolint:forcetypeassert // It is a TCP listener's.
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// drain handles all that has come. Whoever is about to conclude something from silence calls it before. It ends though more
// may be coming faster than it is handled.
func (t *transport) drain() {
	for range maxDrains {
		if !t.drainSome() {
			return
		}
	}
}

// drainSome handles some of what has come, and reports whether there may be more.
func (t *transport) drainSome() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for range maxDrained {
		data, from, waited, err := t.udp.receive()
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNREFUSED) {
			continue // An earlier datagram of ours was refused.
		}
		if err != nil {
			return false
		}
		t.handle(data, from, waited)
	}
	return true
}

// handle handles a datagram. One that memberlist has no room for is lost.
func (t *transport) handle(data []byte, from netip.AddrPort, waited time.Duration) {
	if !t.guard.admitsDatagram(from.Addr().Unmap(), data) {
		return
	}
	if isSealed(data) || isShort(data) {
		t.sealed(from.Addr().Unmap(), data, waited)
		return
	}
	// memberlist keeps some datagrams for later, so it gets a copy.
	packet := &memberlist.Packet{Buf: bytes.Clone(data), From: net.UDPAddrFromAddrPort(from), Timestamp: time.Now()}
	select {
	case t.packets <- packet:
	default:
	}
}

func (t *transport) accept() {
	for {
		conn, err := t.tcp.Accept()
		if err != nil {
			if t.pause(err) {
				continue
			}
			return
		}
		t.working.Go(func() { t.take(conn) })
	}
}

// take hands a connection that is admitted to memberlist.
func (t *transport) take(conn net.Conn) {
	bounded := t.guard.admit(conn)
	if bounded == nil {
		return
	}
	select {
	case t.streams <- bounded:
	case <-t.closed:
		_ = bounded.Close()
	}
}

// pause waits after a failure to accept; it returns false when the transport is closed.
func (t *transport) pause(err error) bool {
	select {
	case <-t.closed:
		return false
	case <-time.After(receiveRetryInterval):
		t.log.Warn("cannot accept gossip, trying again", "error", err)
		return true
	}
}

// FinalAdvertiseAddr is where the others find this speaker: where it listens.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.at().Addr().AsSlice(), int(t.at().Port()), nil
}

// PacketCh returns the channel of received datagrams.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh returns the channel of accepted connections.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// WriteTo sends a datagram.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, fmt.Errorf("send to %q: %w", addr, err)
	}
	return time.Now(), t.udp.send(b, to)
}

// WriteToAddress sends a datagram.
func (t *transport) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, to.Addr)
}

// DialTimeout opens a connection.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	// From the address by which the others know us.
	from := &net.TCPAddr{IP: t.at().Addr().AsSlice()}
	conn, err := (&net.Dialer{Timeout: timeout, LocalAddr: from}).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err //nolint:wrapcheck // memberlist does, and failureOf looks into it.
	}
	return t.guard.dialed(conn), nil
}

// DialAddressTimeout opens a connection.
func (t *transport) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(to.Addr, timeout)
}

// Shutdown stops listening, and returns when nothing more is received. It may be called again.
func (t *transport) Shutdown() error {
	t.closing.Do(func() {
		close(t.closed)
		t.udp.close()
		_ = t.tcp.Close()
	})
	t.working.Wait()
	return nil
}
