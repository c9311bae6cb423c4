package bgp

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// unknown is a message of an unknown type: 19 bytes that have ended a process before.
var unknown = append(slicesOf(0xff, 16), 0, 19, 99)

func slicesOf(b byte, n int) []byte {
	s := make([]byte, n)
	for i := range s {
		s[i] = b
	}
	return s
}

// serveRouter calls a function for each connection to an address.
func serveRouter(t *testing.T, at netip.Addr, talk func(net.Conn)) {
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

// cease is a NOTIFICATION: administrative shutdown, with an operator's text.
func cease(t *testing.T) []byte {
	t.Helper()
	message, err := bgp.NewBGPNotificationMessage(6, 2, append([]byte{5}, "lunch"...)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// framed is a message of a type with any body. The length is given, and may be wrong.
func framed(kind byte, length int, body ...byte) []byte {
	message := append(appendHeader(nil, kind), body...)
	put16(message, 16, length)
	return message
}

func TestSpeaker_HostileRouterHarmsItsOwnSessionOnly(t *testing.T) {
	t.Parallel()
	open := routerSettings(nil).mustEncodeOpen(t)
	up := [][]byte{open, keepaliveMessage}
	with := func(before [][]byte, message ...byte) [][]byte { return append(slices.Clone(before), message) }
	const lunch = `router sent NOTIFICATION: cease, administrative shutdown: "lunch"`
	const state = "sent NOTIFICATION: finite state machine error, unexpected message in "
	const broken = "router sent a malformed message: "
	tests := map[string]struct {
		messages      [][]byte
		code, subcode uint8 // Of our NOTIFICATION; 0 for none.
		words         string
	}{
		"unknown message at once":        {[][]byte{unknown}, 1, 3, broken + "unknown message type 99"},
		"unknown message after OPEN":     {with(up[:1], unknown...), 1, 3, broken + "unknown message type 99"},
		"unknown message when up":        {with(up, unknown...), 1, 3, broken + "unknown message type 99"},
		"garbage at once":                {[][]byte{slicesOf('x', 64)}, 1, 1, broken + "the marker is not all ones"},
		"garbage after OPEN":             {with(up[:1], slicesOf('x', 64)...), 1, 1, broken + "the marker is not all ones"},
		"garbage when up":                {with(up, slicesOf('x', 64)...), 1, 1, broken + "the marker is not all ones"},
		"shorter than its header":        {[][]byte{framed(1, 18)}, 1, 2, broken + "its length is 18"},
		"longer than a message may be":   {with(up, framed(2, 4097)...), 1, 2, broken + "its length is 4097"},
		"as long as can be said":         {with(up, framed(2, 65535)...), 1, 2, broken + "its length is 65535"},
		"an OPEN too short":              {[][]byte{framed(1, 28, 4, 0, 0, 0, 0, 0, 0, 0, 0)}, 1, 2, broken + "a message of type 1 has length 28"},
		"an UPDATE too short":            {with(up, framed(2, 22, 0, 0, 0)...), 1, 2, broken + "a message of type 2 has length 22"},
		"a KEEPALIVE too long":           {with(up[:1], framed(4, 20, 0)...), 1, 2, broken + "a message of type 4 has length 20"},
		"a ROUTE-REFRESH too short":      {with(up, framed(5, 22, 0, 1, 0)...), 1, 2, broken + "a message of type 5 has length 22"},
		"an empty NOTIFICATION":          {with(up, framed(3, 20, 6)...), 1, 2, broken + "a message of type 3 has length 20"},
		"OPEN twice":                     {[][]byte{open, open}, 5, 2, state + "OpenConfirm state"},
		"OPEN when up":                   {with(up, open...), 5, 3, state + "Established state"},
		"KEEPALIVE for OPEN":             {[][]byte{keepaliveMessage}, 5, 1, state + "OpenSent state"},
		"UPDATE for OPEN":                {[][]byte{endOfRIB(bothFamilies[:1])}, 5, 1, state + "OpenSent state"},
		"UPDATE for KEEPALIVE":           {with(up[:1], endOfRIB(bothFamilies[:1])...), 5, 2, state + "OpenConfirm state"},
		"ROUTE-REFRESH for OPEN":         {[][]byte{framed(5, 23, 0, 1, 0, 1)}, 5, 1, state + "OpenSent state"},
		"a version to come":              {[][]byte{framed(1, 29, 5, 0xfc, 1, 0, 9, 1, 1, 1, 1, 0)}, 2, 1, "unsupported version number"},
		"a hold time of a second":        {[][]byte{routerSettings(func(s *settings) { s.holdTime = 1e9 }).mustEncodeOpen(t)}, 2, 6, "unacceptable hold time"},
		"an AS number not its own":       {[][]byte{routerSettings(func(s *settings) { s.myASN = 7 }).mustEncodeOpen(t)}, 2, 2, "bad peer AS"},
		"withdrawn routes beyond UPDATE": {with(up, framed(2, 23, 0, 9, 0, 0)...), 3, 1, broken + "withdrawn routes are longer"},
		"attributes beyond UPDATE":       {with(up, framed(2, 23, 0, 0, 0, 9)...), 3, 1, broken + "attributes are longer"},
		"a prefix of 33 bits":            {with(up, framed(2, 29, 0, 0, 0, 0, 33, 1, 2, 3, 4, 5)...), 3, 10, broken + "a route is no prefix"},
		"a prefix cut short":             {with(up, framed(2, 25, 0, 2, 32, 1, 0, 0)...), 3, 10, broken + "a withdrawn route is no prefix"},
		"NOTIFICATION at once":           {[][]byte{cease(t)}, 0, 0, lunch},
		"NOTIFICATION after OPEN":        {with(up[:1], cease(t)...), 0, 0, lunch},
		"NOTIFICATION when up":           {with(up, cease(t)...), 0, 0, lunch},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := newHost(t)
			heard := make(chan []byte, 1)
			serveRouter(t, at, func(conn net.Conn) {
				for _, message := range test.messages {
					_, _ = conn.Write(message)
				}
				if m := lastMessage(conn); m != nil {
					select {
					case heard <- m:
					default:
					}
				}
			})
			good := local(t, "good", newHost(t), nil)
			good.Paths = []announce.Path{path("198.19.0.1/32", med(1))}
			router := startRouter(t, good)
			speaker := start(t, good)
			since := speaker.up("good").Since
			speaker.set(good, local(t, "hostile", at, nil))
			speaker.says("hostile", test.words)
			switch m := <-heard; {
			case test.code == 0 && m[18] == bgp.BGP_MSG_NOTIFICATION:
				t.Errorf("a NOTIFICATION is answered with %v", m[19:])
			case test.code != 0 && (m[18] != bgp.BGP_MSG_NOTIFICATION || m[19] != test.code || m[20] != test.subcode):
				t.Errorf("the answer is %v, want NOTIFICATION %d/%d", m, test.code, test.subcode)
			}
			router.holds(good.Paths)
			if s := speaker.up("good"); s.Since != since {
				t.Errorf("the other session noticed: %+v", s)
			}
		})
	}
}

// lastMessage reads to the end of a connection and returns the last message.
func lastMessage(conn net.Conn) (last []byte) {
	for t := newTransport(conn); ; {
		m, err := t.read()
		if err != nil {
			return last
		}
		last = append(framed(m.messageType, 19+len(m.body)), m.body...)
	}
}

// Malformed attributes of routes that we do not keep do no harm (RFC 7606).
func TestSession_MalformedAttributesDoNotEndIt(t *testing.T) {
	t.Parallel()
	at := newHost(t)
	updates := [][]byte{
		framed(2, 26, 0, 0, 0, 3, 0x40, 1, 9),                                // ORIGIN longer than the list
		framed(2, 27, 0, 0, 0, 4, 0x40, 1, 1, 77),                            // an undefined ORIGIN
		framed(2, 28, 0, 0, 0, 5, 0x80, 14, 2, 0, 1),                         // MP_REACH_NLRI without the rest
		framed(2, 32, 0, 0, 0, 9, 0x80, 14, 6, 0, 2, 1, 200, 0, 0),           // with a next hop that is too long
		framed(2, 25, 0, 0, 0, 2, 0xff, 0xff),                                // an attribute without length
		framed(2, 26, 0, 0, 0, 3, 0x10, 14, 1),                               // half a length
		framed(2, 28, 0, 0, 0, 0, 32, 198, 19, 0, 1),                         // a route without any attribute: 1 received
		framed(2, 34, 0, 0, 0, 11, 0x80, 14, 8, 0, 2, 1, 0, 0, 8, 0x20, 129), // a prefix, then one of 129 bits: 1 received
	}
	messages := [][]byte{routerSettings(nil).mustEncodeOpen(t), keepaliveMessage}
	serveRouter(t, at, func(conn net.Conn) {
		for _, message := range append(messages, updates...) {
			_, _ = conn.Write(message)
		}
	})
	speaker := start(t, local(t, "odd", at, nil))
	speaker.await("odd", "has read all", func(s Status) bool {
		return s.State == "Established" && s.PrefixesReceived == 2 && s.LastError == ""
	})
}

// A connection that is closed while bytes wait to be read ends with a reset, which may overtake our last message.
func TestTransport_LastMessageIsNotOvertakenByAReset(t *testing.T) {
	t.Parallel()
	at := newHost(t)
	ends := make(chan error, 10)
	flood := slices.Repeat(keepaliveMessage, 5000)
	open := routerSettings(nil).mustEncodeOpen(t)
	serveRouter(t, at, func(conn net.Conn) {
		_, _ = conn.Write(slices.Concat(open, keepaliveMessage, unknown, flood))
		_, err := io.Copy(io.Discard, conn) // Nil when the connection was closed in order.
		select {
		case ends <- err:
		default:
		}
	})
	start(t, local(t, "tor", at, nil))
	if err := <-ends; err != nil {
		t.Errorf("the connection ended with %v", err)
	}
}

// The codec is a library: if it panics over what a router sent, only one connection ends.
func TestOpen_PanicInTheCodecEndsTheConnectionOnly(t *testing.T) {
	t.Parallel()
	c := newConnection(routerSettings(nil), newTransport(nil), newStatusRecorder(nil, func() {}))
	var reason *closeReason
	if err := c.acceptOpen(nil); !errors.As(err, &reason) || reason.code != bgp.BGP_ERROR_OPEN_MESSAGE_ERROR { // Index out of range.
		t.Errorf("the verdict is %v", err)
	}
}
