package bfd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// The source ports are from the range of RFC 5881 section 4.
const (
	firstPort = 49152
	portCount = 65536 - firstPort
)

// errSocketClosed is the error of sending without a socket.
var errSocketClosed = errors.New("the socket is closed")

// sender is the socket by which a session sends.
type sender struct {
	conn *net.UDPConn
	fd   int
	to   *sockaddr
	port int
	data [bfdsession.PacketSize]byte
}

// newSender opens a sender. link is the index of the interface of a link-local peer; else 0. taken reports whether another
// session has a port: each session has its own.
func newSender(ctx context.Context, p path, link int, taken func(port int) bool) (*sender, error) {
	config := net.ListenConfig{Control: control(func(fd int) []error {
		return []error{sendOptions(fd, p.peer.Is6()), bindToDevice(fd, p.device)}
	})}
	first, errs := rand.IntN(portCount), error(nil) //nolint:gosec // Any will do.
	for try := range portCount {
		port := firstPort + (first+try)%portCount
		if taken(port) {
			continue
		}
		conn, err := config.ListenPacket(ctx, p.listenerKey().network(), p.source(port))
		if errors.Is(err, syscall.EADDRINUSE) {
			errs = err
			continue // Another process has it.
		}
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			return nil, fmt.Errorf("this node has no address %s: %w", p.local, err)
		}
		if err != nil {
			return nil, fmt.Errorf("open a socket for sending: %w", err)
		}
		s := &sender{conn: conn.(*net.UDPConn), to: newSockaddr(p.peer, p.listenerKey().port(), link), port: port}
		if _, s.fd, err = rawOf(s.conn); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return s, nil
	}
	return nil, fmt.Errorf("no source port is free: %w", errs)
}

// source is the address to which a sender is bound.
func (p path) source(port int) string {
	host := ""
	if p.local.IsValid() {
		host = p.local.String()
		if p.local.IsLinkLocalUnicast() && p.local.Is6() {
			host = p.local.WithZone(p.peer.Zone()).String()
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// send sends a packet. It does not block: it fails at once.
func (s *sender) send(p *bfdsession.Packet) error {
	return sendTo(s.fd, p.Append(s.data[:0]), s.to)
}

// close closes the socket, and so frees the port.
func (s *sender) close() { _ = s.conn.Close() } // Nothing is lost with a socket that only sends.

// portTaken reports whether a session has a source port.
func (m *Monitor) portTaken(port int) bool {
	for _, s := range m.sessions {
		if s.sender != nil && s.sender.port == port {
			return true
		}
	}
	for s := range m.adminDown {
		if s.sender != nil && s.sender.port == port {
			return true
		}
	}
	return false
}
