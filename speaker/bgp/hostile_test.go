package bgp

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/speaker/announce"
)

// unknown is a message of a type that nobody knows: 19 bytes that have ended a process before.
var unknown = append(slicesOf(0xff, 16), 0, 19, 99)

func slicesOf(b byte, n int) []byte {
	s := make([]byte, n)
	for i := range s {
		s[i] = b
	}
	return s
}

// play lets a function talk to whoever connects to an address, each connection by itself.
func play(t *testing.T, at netip.Addr, talk func(net.Conn)) {
	t.Helper()
	listener, err := net.Listen("tcp", netip.AddrPortFrom(at, 179).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			talk(conn)
			_, _ = io.Copy(io.Discard, conn) // Until the other end closes.
			_ = conn.Close()
		}
	}()
}

func TestHostileRouterHarmsItsOwnSessionOnly(t *testing.T) {
	t.Parallel()
	hold := (&settings{myASN: 64513, routerID: netip.MustParseAddr("192.0.2.250"), hold: 9e9, ipv4: true})
	open, err := hold.open()
	if err != nil {
		t.Fatal(err)
	}
	keepalive, _ := bgp.NewBGPKeepAliveMessage().Serialize()
	shutdown, _ := bgp.NewBGPNotificationMessage(6, 2, append([]byte{5}, "lunch"...)).Serialize()
	const lunch = `router sent NOTIFICATION: cease, administrative shutdown: "lunch"`
	tests := map[string]struct {
		messages [][]byte
		words    string
	}{
		"unknown message at once":         {[][]byte{unknown}, "router sent a malformed message: unknown message type"},
		"unknown message after OPEN":      {[][]byte{open, unknown}, "router sent a malformed message: unknown message type"},
		"unknown message when up":         {[][]byte{open, keepalive, unknown}, "router sent a malformed message: unknown message type"},
		"garbage":                         {[][]byte{slicesOf('x', 64)}, "router sent a malformed message"},
		"length below that of the header": {[][]byte{append(slicesOf(0xff, 16), 0, 1, 1)}, "router sent a malformed message"},
		"OPEN twice":                      {[][]byte{open, open}, "router refused our OPEN message"},
		"KEEPALIVE for OPEN":              {[][]byte{keepalive}, "router refused our OPEN message"},
		"goodbye at once":                 {[][]byte{shutdown}, lunch},
		"goodbye when up":                 {[][]byte{open, keepalive, shutdown}, lunch},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := newHost(t)
			play(t, at, func(conn net.Conn) {
				for _, message := range test.messages {
					_, _ = conn.Write(message)
				}
			})
			good := local(t, "good", newHost(t), nil)
			good.Paths = []announce.Path{path("198.19.0.1/32", med(1))}
			router := startRouter(t, good)
			speaker := start(t, good)
			since := speaker.up("good").Since
			speaker.set(good, local(t, "hostile", at, nil))
			speaker.says("hostile", test.words)
			router.holds(good.Paths)
			if s := speaker.up("good"); s.Since != since {
				t.Errorf("the other session noticed: %+v", s)
			}
		})
	}
}
