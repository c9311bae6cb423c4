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

// scriptedPeer is a peer in the other namespace of a cable. It sends what the test wants.
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

// await waits for a packet that satisfies is.
func (s *scriptedPeer) await(what string, is func(*bfdsession.Packet) bool) bfdsession.Packet {
	s.t.Helper()
	buffer := make([]byte, 100)
	var last bfdsession.Packet
	netnstest.Eventually(s.t, "the peer receives "+what, func() error {
		n, _, err := s.conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return err
		}
		if last, err = bfdsession.Parse(buffer[:n]); err != nil {
			return err
		}
		if !is(&last) {
			return fmt.Errorf("received %+v", last)
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

// ttl changes the TTL of packets that are sent.
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

// peerPacket is a valid packet of a peer with so long a Detection Time that the session does not fail.
func peerPacket(state bfdsession.State, yours uint32) bfdsession.Packet {
	return bfdsession.Packet{
		State: state, DetectMult: 255, MyDiscriminator: 77, YourDiscriminator: yours,
		DesiredMinTx: 1000 * ms, RequiredMinRx: 50 * ms,
	}
}

// bringUp brings up a session with us, and returns our discriminator.
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
