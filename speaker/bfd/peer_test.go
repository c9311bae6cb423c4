package bfd

import (
	"context"
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// scriptedPeer is a peer that sends what the test wants, in the other namespace of a cable.
type scriptedPeer struct {
	t    testing.TB
	conn *net.UDPConn // At the port of single-hop sessions.
	to   *net.UDPAddr
}

func newScriptedPeer(t testing.TB, c *cable) *scriptedPeer {
	t.Helper()
	s := &scriptedPeer{t: t, to: &net.UDPAddr{IP: c.Ours.AsSlice(), Port: singleHopPort}}
	c.Other.Do(t, func() {
		config := net.ListenConfig{Control: control(func(fd int) []error {
			return []error{sendOptions(fd, false), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20)}
		})}
		conn, err := config.ListenPacket(context.Background(), "udp4", fmt.Sprintf(":%d", singleHopPort))
		if err != nil {
			t.Errorf("listen: %v", err)
			return
		}
		s.conn = conn.(*net.UDPConn)
	})
	t.Cleanup(func() { s.conn.Close() })
	return s
}

// receiveUpTo waits for a packet that is as asked for.
func (s *scriptedPeer) await(what string, is func(*bfdsession.Packet) bool) bfdsession.Packet {
	s.t.Helper()
	buffer := make([]byte, 100)
	var last bfdsession.Packet
	netnstest.Eventually(s.t, "the stranger hears "+what, func() error {
		n, _, err := s.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return err
		}
		if last, err = bfdsession.Parse(buffer[:n]); err != nil {
			return err
		}
		if !is(&last) {
			return fmt.Errorf("heard %+v", last)
		}
		return nil
	})
	return last
}

func (s *scriptedPeer) send(p bfdsession.Packet) { s.write(p.Append(nil)) }

func (s *scriptedPeer) write(b []byte) {
	s.t.Helper()
	if _, err := s.conn.WriteTo(b, s.to); err != nil {
		s.t.Fatalf("send: %v", err)
	}
}

// ttl changes the TTL of what is sent.
func (s *scriptedPeer) ttl(value int) {
	s.t.Helper()
	_, fd, err := rawOf(s.conn)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TTL, value)
	}
	if err != nil {
		s.t.Fatalf("set the TTL: %v", err)
	}
}

// peerPacket is a good packet, of a peer so slow that it is never missed.
func peerPacket(state bfdsession.State, yours uint32) bfdsession.Packet {
	return bfdsession.Packet{
		State: state, DetectMult: 255, MyDiscriminator: 77, YourDiscriminator: yours,
		DesiredMinTx: 1000 * ms, RequiredMinRx: 50 * ms,
	}
}

// bringUp brings a session with us up, and gives our discriminator.
func (s *scriptedPeer) bringUp() uint32 {
	s.t.Helper()
	first := s.await("that we are down", func(p *bfdsession.Packet) bool { return p.State == bfdsession.Down })
	s.send(peerPacket(bfdsession.Init, first.MyDiscriminator))
	s.await("that we are up", func(p *bfdsession.Packet) bool {
		return p.State == bfdsession.Up && p.YourDiscriminator == 77 && p.Poll
	})
	answer := peerPacket(bfdsession.Up, first.MyDiscriminator)
	answer.Final = true
	s.send(answer)
	return first.MyDiscriminator
}
