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

// Source ports are from the range that RFC 5881 section 4 asks for.
const (
	firstPort = 49152
	ports     = 65536 - firstPort
)

// errShut is why a session cannot send whose socket is closed.
var errShut = errors.New("the socket is closed")

// sender is the socket a session sends by.
type sender struct {
	conn *net.UDPConn
	fd   int
	to   *sockaddr
	port int
	data [bfdsession.PacketSize]byte
}

// dial makes a sender, given the index of the interface of a link-local peer. taken says which ports other sessions have: each
// has one of its own.
func dial(ctx context.Context, p path, link int, taken func(port int) bool) (*sender, error) {
	config := net.ListenConfig{Control: control(func(fd int) []error {
		return []error{sendOptions(fd, p.peer.Is6()), bindToDevice(fd, p.device)}
	})}
	first, errs := rand.IntN(ports), error(nil) //nolint:gosec // Any will do.
	for try := range ports {
		port := firstPort + (first+try)%ports
		if taken(port) {
			continue
		}
		conn, err := config.ListenPacket(ctx, p.ear().network(), p.source(port))
		if errors.Is(err, syscall.EADDRINUSE) {
			errs = err
			continue // Somebody else's.
		}
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			return nil, fmt.Errorf("this node has no address %s: %w", p.local, err)
		}
		if err != nil {
			return nil, fmt.Errorf("open a socket to send by: %w", err)
		}
		s := &sender{conn: conn.(*net.UDPConn), to: newSockaddr(p.peer, p.ear().port(), link), port: port}
		if _, s.fd, err = rawOf(s.conn); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return s, nil
	}
	return nil, fmt.Errorf("no source port is free: %w", errs)
}

// source is where a sender is bound.
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

// send sends a packet, or fails at once.
func (s *sender) send(p *bfdsession.Packet) error {
	return sendTo(s.fd, p.Append(s.data[:0]), s.to)
}

// close lets go of the port.
func (s *sender) close() { _ = s.conn.Close() } // Nothing waits in a socket that has sent.

// portTaken reports whether a session has a source port.
func (m *Monitor) portTaken(port int) bool {
	for _, w := range m.watches {
		if w.sender != nil && w.sender.port == port {
			return true
		}
	}
	for w := range m.leaving {
		if w.sender != nil && w.sender.port == port {
			return true
		}
	}
	return false
}
