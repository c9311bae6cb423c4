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
	// largestDatagram that can come, and receiveBuffer for those that wait, as memberlist's own transport has it.
	largestDatagram = 1 << 16
	receiveBuffer   = 2 << 20
	// acceptPause is how long accepting rests after it failed: usually for want of file descriptors.
	acceptPause = 100 * time.Millisecond
)

// transport carries datagrams and connections for memberlist. memberlist's own makes a new buffer of 64 KiB for every
// datagram; heartbeats are some hundred a second, and that would be most of what a speaker at rest allocates.
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

// listen on an address by UDP and TCP; port 0 is one that is free.
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
	_ = t.udp.SetReadBuffer(receiveBuffer) // Less will do.
	t.working.Go(t.receive)
	t.working.Go(t.accept)
	return t, nil
}

func (t *transport) at() netip.AddrPort {
	at := t.tcp.Addr().(*net.TCPAddr).AddrPort() //nolint:forcetypeassert // It is a TCP listener's.
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

func (t *transport) receive() {
	buffer := make([]byte, largestDatagram)
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
		// A copy, since memberlist keeps some for later.
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

// pause rests after a failure; false when it comes of being closed.
func (t *transport) pause(err error) bool {
	select {
	case <-t.closed:
		return false
	case <-time.After(acceptPause):
		t.log.Warn("gossip cannot be received for the moment", "error", err)
		return true
	}
}

// FinalAdvertiseAddr is where the others find this speaker: where it listens.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.at().Addr().AsSlice(), int(t.at().Port()), nil
}

// PacketCh gives the datagrams that come.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh gives the connections that come.
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

// DialTimeout makes a connection.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return (&net.Dialer{Timeout: timeout}).DialContext(context.Background(), "tcp", addr)
}

// DialAddressTimeout makes a connection.
func (t *transport) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(to.Addr, timeout)
}

// Shutdown closes the port, and returns when nothing more is received. It may be called again.
func (t *transport) Shutdown() error {
	t.closing.Do(func() {
		close(t.closed)
		_ = t.udp.Close()
		_ = t.tcp.Close()
	})
	t.working.Wait()
	return nil
}
