package gossip

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxReceived is the largest datagram that can come.
	maxReceived = 1 << 16
	// receiveBuffer is the socket's buffer for datagrams, the size that memberlist's own transport uses.
	receiveBuffer = 2 << 20
	// receiveRetryInterval is the wait after a failure to receive or accept, usually for lack of file descriptors.
	receiveRetryInterval = 100 * time.Millisecond
)

// transport carries datagrams and connections for memberlist. memberlist's own transport allocates 64 KiB for every datagram:
// with some hundred heartbeats a second, that would be most of what an idle speaker allocates.
type transport struct {
	log     *slog.Logger
	udp     *net.UDPConn
	tcp     *net.TCPListener
	packets chan *memberlist.Packet
	streams chan net.Conn
	closed  chan struct{}
	closing sync.Once
	working sync.WaitGroup
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// listen returns a transport that listens on an address by UDP and TCP; port 0 is any free one.
func listen(at netip.AddrPort, log *slog.Logger) (memberlist.NodeAwareTransport, error) {
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	t := &transport{
		log: log, tcp: tcp, packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), closed: make(chan struct{}),
	}
	if t.udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at.Addr(), t.at().Port()))); err != nil {
		_ = tcp.Close()
		return nil, err
	}
	_ = t.udp.SetReadBuffer(receiveBuffer) // A smaller one will do.
	t.working.Go(t.receive)
	t.working.Go(t.accept)
	return t, nil
}

func (t *transport) at() netip.AddrPort {
	at := t.tcp.Addr().(*net.TCPAddr).AddrPort() //nolint:forcetypeassert // It is a TCP listener's.
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

func (t *transport) receive() {
	buffer := make([]byte, maxReceived)
	for {
		size, from, err := t.udp.ReadFromUDPAddrPort(buffer)
		if err != nil {
			if t.pause(err) {
				continue
			}
			return
		}
		if size == 0 {
			continue
		}
		// memberlist keeps some datagrams for later, so it gets a copy.
		packet := &memberlist.Packet{Buf: bytes.Clone(buffer[:size]), From: net.UDPAddrFromAddrPort(from), Timestamp: time.Now()}
		select {
		case t.packets <- packet:
		case <-t.closed:
			return
		}
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
		select {
		case t.streams <- conn:
		case <-t.closed:
			_ = conn.Close()
			return
		}
	}
}

// pause waits after a failure; it returns false when the transport is closed.
func (t *transport) pause(err error) bool {
	select {
	case <-t.closed:
		return false
	case <-time.After(receiveRetryInterval):
		t.log.Warn("cannot receive gossip, trying again", "error", err)
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
	_, err = t.udp.WriteToUDPAddrPort(b, to)
	return time.Now(), err
}

// WriteToAddress sends a datagram.
func (t *transport) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, to.Addr)
}

// DialTimeout opens a connection.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return (&net.Dialer{Timeout: timeout}).DialContext(context.Background(), "tcp", addr)
}

// DialAddressTimeout opens a connection.
func (t *transport) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(to.Addr, timeout)
}

// Shutdown stops listening, and returns when nothing more is received. It may be called again.
func (t *transport) Shutdown() error {
	t.closing.Do(func() {
		close(t.closed)
		_ = t.udp.Close()
		_ = t.tcp.Close()
	})
	t.working.Wait()
	return nil
}
