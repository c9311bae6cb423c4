package bgp

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDial_SocketOptions(t *testing.T) {
	t.Parallel()
	four, six := newHost(t), netip.MustParseAddr("::1")
	for _, at := range []netip.Addr{four, six} {
		config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error { // TTL security needs routers that send so.
			return raw.Control(func(fd uintptr) {
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, maxHopLimit)
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, maxHopLimit)
			})
		}}
		config.SetMultipathTCP(false) // Multipath TCP would not pass the limit on.
		listener, err := config.Listen(t.Context(), "tcp", netip.AddrPortFrom(at, 1179).String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
	}
	for name, test := range map[string]struct {
		settings    settings
		hops, least int // 0: the system's default
	}{
		"internal":                      {settings{myASN: 1, peerASN: 1, address: four}, 0, 0},
		"external":                      {settings{myASN: 1, peerASN: 2, address: four}, 1, 0},
		"external, multihop":            {settings{myASN: 1, peerASN: 2, address: four, multiHop: true}, 255, 0},
		"TTL security":                  {settings{myASN: 1, peerASN: 2, address: four, ttlSecurity: true}, 255, 255},
		"IPv6, internal":                {settings{myASN: 1, peerASN: 1, address: six}, 0, 0},
		"IPv6, external":                {settings{myASN: 1, peerASN: 2, address: six}, 1, 0},
		"IPv6, external, multihop":      {settings{myASN: 1, peerASN: 2, address: six, multiHop: true}, 255, 0},
		"IPv6, TTL security":            {settings{myASN: 1, peerASN: 2, address: six, ttlSecurity: true}, 255, 255},
		"IPv6, an AS number not known":  {settings{myASN: 1, dynamic: "external", address: six}, 0, 0},
		"in a VRF, or any device":       {settings{myASN: 1, peerASN: 1, address: four, vrf: "lo"}, 0, 0},
		"with a source address of ours": {settings{myASN: 1, peerASN: 1, address: four, source: four}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := test.settings
			s.port, s.connectTime, s.patience = 1179, time.Minute, time.Minute // However busy the machine is.
			conn, err := dialRouter(t.Context(), &s)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			level, class, hops, least := unix.IPPROTO_IP, unix.IP_TOS, unix.IP_TTL, unix.IP_MINTTL
			if s.address.Is6() {
				level, class, hops, least = unix.IPPROTO_IPV6, unix.IPV6_TCLASS, unix.IPV6_UNICAST_HOPS, unix.IPV6_MINHOPCOUNT
			}
			raw, err := conn.(syscall.Conn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			device := ""
			if err := raw.Control(func(fd uintptr) { device, _ = unix.GetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE) }); err != nil {
				t.Fatal(err)
			}
			if device != s.vrf {
				t.Errorf("bound to device %q", device)
			}
			get := func(option int) (value int) {
				if err := raw.Control(func(fd uintptr) { value, _ = unix.GetsockoptInt(int(fd), level, option) }); err != nil {
					t.Fatal(err)
				}
				return value
			}
			if test.hops == 0 {
				test.hops = 64
			}
			if get(class) != networkControl || get(hops) != test.hops || get(least) != test.least {
				t.Errorf("traffic class %d, hop limit %d, at least %d of the router's", get(class), get(hops), get(least))
			}
			if s.source.IsValid() && newTransport(conn).localAddr() != s.source {
				t.Errorf("the connection is from %s", conn.LocalAddr())
			}
		})
	}
}
