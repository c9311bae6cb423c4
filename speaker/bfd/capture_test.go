package bfd

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// writeSysctl sets a value below /proc/sys/net in the tests' own namespace.
func writeSysctl(t testing.TB, key, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0); err != nil {
		t.Fatalf("set %s: %v", key, err)
	}
}

func removeLink(t testing.TB, name string) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		t.Fatalf("remove %s: %v", name, err)
	}
}

// captured is a packet as the other end sees it.
type captured struct {
	ttl, class, source, length int
}

// capture listens at both ports at the other end of a cable, and returns the first packet to each.
func capture(t *testing.T, c *cable, at netip.Addr) <-chan captured {
	t.Helper()
	seen := make(chan captured, 2)
	for _, port := range []int{singleHopPort, multiHopPort} {
		c.Other.Do(t, func() {
			config := net.ListenConfig{Control: control(func(fd int) []error {
				return []error{
					receiveOptions(fd, listenerKey{v6: at.Is6()}),
					classOption(fd, at.Is6()),
				}
			})}
			conn, err := config.ListenPacket(context.Background(), "udp", net.JoinHostPort(at.String(), fmt.Sprint(port)))
			if err != nil {
				t.Errorf("listen: %v", err)
				return
			}
			t.Cleanup(func() { conn.Close() })
			go func() {
				data, control := make([]byte, 100), make([]byte, 200)
				n, controls, _, from, err := conn.(*net.UDPConn).ReadMsgUDPAddrPort(data, control)
				if err != nil {
					return // Closed.
				}
				p := readCaptured(control[:controls])
				p.source, p.length = int(from.Port()), n
				seen <- p
			}()
		})
	}
	return seen
}

func classOption(fd int, v6 bool) error {
	if v6 {
		return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVTCLASS, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVTOS, 1)
}

func readCaptured(control []byte) (p captured) {
	var d datagram
	d.readControl(control)
	p.ttl = d.ttl
	all, _ := unix.ParseSocketControlMessage(control)
	for _, m := range all {
		switch {
		case m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_TOS:
			p.class = int(m.Data[0])
		case m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_TCLASS:
			p.class = int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return p
}
