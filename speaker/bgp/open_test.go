package bgp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// body of an encoded message.
func body(message []byte) []byte { return message[bgp.BGP_HEADER_LENGTH:] }

func TestOpen_EncodesOurSettings(t *testing.T) {
	t.Parallel()
	session := settings{
		myASN: 4200000001, address: netip.MustParseAddr("2001:db8::1"), routerID: netip.MustParseAddr("192.0.2.1"),
		holdTime: 90 * time.Second, restartTime: 2 * time.Hour, ipv4: true, ipv6: true, bfd: true, bfdSeen: true,
	}
	for name, test := range map[string]struct {
		change     func(*settings)
		restarting bool
		want       func(*openMessage)
		flags      uint8
	}{
		"all there is":                      {func(*settings) {}, false, func(*openMessage) {}, 0x04},
		"the R bit after a restart":         {func(*settings) {}, true, func(*openMessage) {}, 0x0c},
		"one family":                        {func(s *settings) { s.ipv6 = false }, false, func(open *openMessage) { open.families = open.families[:1] }, 0x04},
		"no graceful restart":               {func(s *settings) { s.restartTime = 0 }, false, func(open *openMessage) { open.gracefulRestart, open.notificationSupport = false, false }, 0},
		"no N bit before BFD was up":        {func(s *settings) { s.bfdSeen = false }, false, func(open *openMessage) { open.notificationSupport = false }, 0},
		"no RFC 8950 over IPv4":             {func(s *settings) { s.address = netip.MustParseAddr("192.0.2.2") }, false, func(open *openMessage) { open.extendedNextHop = false }, 0x04},
		"the AS number that is to be shown": {func(s *settings) { s.localASN = 65000 }, false, func(open *openMessage) { open.asn = 65000 }, 0x04},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := session
			test.change(&s)
			message, err := s.encodeOpen(test.restarting)
			if err != nil {
				t.Fatal(err)
			}
			want := &openMessage{
				version: 4, holdTime: 90, asn: 4200000001, routerID: s.routerID, fourOctets: true,
				families: []bgp.Family{bgp.RF_IPv4_UC, bgp.RF_IPv6_UC}, extendedNextHop: true, gracefulRestart: true, notificationSupport: true,
			}
			test.want(want)
			if got, err := parseOpen(body(message)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("OPEN says %+v and error %v, want %+v", got, err, want)
			}
			checkRestart(t, message, test.flags)
		})
	}
}

// checkRestart reads the graceful restart capability with the codec: its flags, the longest restart time, and the F bit of
// all families.
func checkRestart(t *testing.T, message []byte, flags uint8) {
	t.Helper()
	parsed, err := bgp.ParseBGPMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	found := uint8(0)
	for _, parameter := range parsed.Body.(*bgp.BGPOpen).OptParams {
		for _, capability := range parameter.(*bgp.OptionParameterCapability).Capability {
			c, ok := capability.(*bgp.CapGracefulRestart)
			if !ok {
				continue
			}
			found = c.Flags
			if c.Time != 4095 {
				t.Errorf("the restart time is %d s", c.Time)
			}
			for _, tuple := range c.Tuples {
				if tuple.Flags != 0x80 {
					t.Errorf("family %d has flags %x", tuple.AFI, tuple.Flags)
				}
			}
		}
	}
	if found != flags {
		t.Errorf("the flags of graceful restart are %x, want %x", found, flags)
	}
}

func TestOpen_Negotiation(t *testing.T) {
	t.Parallel()
	ours := func(change func(*settings)) *settings {
		s := &settings{
			myASN: 64512, peerASN: 64513, address: netip.MustParseAddr("2001:db8::1"), routerID: netip.MustParseAddr("192.0.2.1"),
			holdTime: 90 * time.Second, restartTime: time.Minute, ipv4: true, ipv6: true, bfd: true, bfdSeen: true,
		}
		if change != nil {
			change(s)
		}
		return s
	}
	router := func(change func(*openMessage)) *openMessage {
		open := &openMessage{
			version: 4, holdTime: 30, asn: 64513, routerID: netip.MustParseAddr("192.0.2.2"), fourOctets: true,
			families: []bgp.Family{bgp.RF_IPv4_UC, bgp.RF_IPv6_UC}, extendedNextHop: true, gracefulRestart: true, notificationSupport: true,
		}
		if change != nil {
			change(open)
		}
		return open
	}
	both := []lb.Family{lb.IPv4, lb.IPv6}
	for name, test := range map[string]struct {
		ours   *settings
		router *openMessage
		want   negotiated
	}{
		"the shorter hold time, and a third of it": {
			ours(nil), router(nil), negotiated{30 * time.Second, 10 * time.Second, both, nil, true, true, true, true, nil},
		},
		"the keepalive time that is configured": {
			ours(func(s *settings) { s.keepaliveTime = 2 * time.Second }), router(nil),
			negotiated{30 * time.Second, 2 * time.Second, both, nil, true, true, true, true, nil},
		},
		"no longer keepalive time than a third": {
			ours(func(s *settings) { s.keepaliveTime = 25 * time.Second }), router(nil),
			negotiated{30 * time.Second, 10 * time.Second, both, nil, true, true, true, true, nil},
		},
		"no timers where the router wants none": {
			ours(func(s *settings) { s.keepaliveTime = 2 * time.Second }), router(func(open *openMessage) { open.holdTime = 0 }),
			negotiated{0, 0, both, nil, true, true, true, true, []string{
				"the router's hold time is 0: nothing but BFD notices when the router or this node is gone",
			}},
		},
		"IPv4 with a router that names no family": {
			ours(nil), router(func(open *openMessage) { open.families = nil }),
			negotiated{30 * time.Second, 10 * time.Second, both[:1], both[1:], true, true, true, true, []string{
				"the router does not exchange IPv6 unicast on this session",
			}},
		},
		"what both have": {
			ours(func(s *settings) { s.restartTime = 0 }), router(func(open *openMessage) { open.fourOctets, open.extendedNextHop = false, false }),
			negotiated{30 * time.Second, 10 * time.Second, both, nil, false, false, false, false, nil},
		},
		"no notification support without BFD": {
			ours(func(s *settings) { s.bfdSeen = false }), router(nil),
			negotiated{30 * time.Second, 10 * time.Second, both, nil, true, true, true, false, nil},
		},
		"what the router has not refused": {
			ours(func(s *settings) { s.withheld = gracefulRestart | extendedNextHop | multiprotocolIPv6 }), router(nil),
			negotiated{30 * time.Second, 10 * time.Second, both[:1], both[1:], true, false, false, false, []string{
				"the router does not exchange IPv6 unicast on this session",
				"the router refuses what we offer (graceful restart, extended next hop encoding, IPv6 unicast): the session goes without",
			}},
		},
		"an AS number that is the router's to say": {
			ours(func(s *settings) { s.peerASN, s.dynamic = 0, "external" }), router(func(open *openMessage) { open.asn = 7 }),
			negotiated{30 * time.Second, 10 * time.Second, both, nil, true, true, true, true, nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := test.ours.negotiate(test.router); err != nil || !reflect.DeepEqual(got, &test.want) {
				t.Errorf("agreed on %+v, error %v, want %+v", got, err, test.want)
			}
		})
	}
	for name, test := range map[string]struct {
		ours    *settings
		router  *openMessage
		subcode uint8
		words   string
	}{
		"another AS": {ours(nil), router(func(open *openMessage) { open.asn = 7 }), 2, "the router is not of AS 64513, but of AS 7"},
		"our own AS where another is wanted": {
			ours(func(s *settings) { s.peerASN, s.dynamic = 0, "external" }), router(func(open *openMessage) { open.asn = 64512 }), 2, "of our own AS",
		},
		"another AS where our own is wanted": {
			ours(func(s *settings) { s.peerASN, s.dynamic = 0, "internal" }), router(nil), 2, "the router is not of AS 64512",
		},
		"AS 0": {ours(func(s *settings) { s.peerASN, s.dynamic = 0, "external" }), router(func(open *openMessage) { open.asn = 0 }), 2, "of AS 0"},
		"ID 0": {ours(nil), router(func(open *openMessage) { open.routerID = netip.IPv4Unspecified() }), 3, "ID is 0.0.0.0"},
		"our own ID within the AS": {
			ours(func(s *settings) { s.peerASN = 64512 }),
			router(func(open *openMessage) { open.asn, open.routerID = 64512, netip.MustParseAddr("192.0.2.1") }), 3, "ID is 192.0.2.1",
		},
		"a hold time too short": {ours(nil), router(func(open *openMessage) { open.holdTime = 2 }), 6, "the router's is 2s"},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			t.Parallel()
			_, err := test.ours.negotiate(test.router)
			var reason *closeReason
			if !errors.As(err, &reason) || reason.code != 2 || reason.subcode != test.subcode || !strings.Contains(reason.text, test.words) {
				t.Errorf("the verdict is %+v", err)
			}
		})
	}
}

// option is an optional parameter of OPEN with capabilities.
func option(capabilities ...byte) []byte {
	return append([]byte{2, byte(len(capabilities))}, capabilities...)
}

func TestOpen_ParsesOddAndRejectsMalformed(t *testing.T) {
	t.Parallel()
	fixed := []byte{4, 0xfc, 0x01, 0, 9, 192, 0, 2, 250}
	with := func(parameters ...byte) []byte {
		return append(append(fixed[:9:9], byte(len(parameters))), parameters...)
	}
	four := binary.BigEndian.AppendUint32([]byte{65, 4}, 4200000001)
	long := append([]byte{2, 0, 6}, four...)
	for name, test := range map[string]struct {
		body    []byte
		asn     uint32
		subcode uint8
		words   string // Of the error; empty for none.
	}{
		"no parameters":                      {with(), 64513, 0, ""},
		"a capability":                       {with(option(four...)...), 4200000001, 0, ""},
		"one that nobody knows":              {with(option(append([]byte{200, 1, 7}, four...)...)...), 4200000001, 0, ""},
		"a known one with a wrong length":    {with(option(65, 1, 7)...), 64513, 0, ""},
		"long parameters (RFC 9072)":         {append(append(fixed[:9:9], 255, 255, 0, byte(len(long))), long...), 4200000001, 0, ""},
		"version 3":                          {append([]byte{3}, with()[1:]...), 0, 1, "the router speaks version 3"},
		"fewer parameters than it says":      {append(fixed[:9:9], 4, 2, 2), 0, 0, "optional parameters of OPEN have another length"},
		"more":                               {append(with(), 1), 0, 0, "optional parameters of OPEN have another length"},
		"a parameter cut short":              {with(2), 0, 0, "optional parameter of OPEN is cut short"},
		"a parameter longer than the rest":   {with(2, 9, 0), 0, 0, "optional parameter of OPEN is cut short"},
		"a long parameter cut short":         {append(fixed[:9:9], 255, 255, 0, 2, 2, 0), 0, 0, "optional parameter of OPEN is cut short"},
		"authentication, which is long gone": {with(1, 1, 0), 0, 4, "the router sent parameter 1"},
		"a capability cut short":             {with(option(65)...), 0, 0, "a capability is cut short"},
		"a capability longer than the rest":  {with(option(65, 4, 0)...), 0, 0, "a capability is cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseOpen(test.body)
			if test.words == "" {
				if err != nil || got.asn != test.asn {
					t.Errorf("read as %+v, error %v", got, err)
				}
				return
			}
			var reason *closeReason
			if !errors.As(err, &reason) || reason.code != 2 || reason.subcode != test.subcode || !strings.Contains(reason.text, test.words) {
				t.Errorf("the verdict is %+v", err)
			}
		})
	}
}

// fuzzed is a message of a type with a body.
func fuzzed(kind byte, body ...byte) []byte {
	head := append(bytes.Repeat([]byte{0xff}, 16), 0, byte(bgp.BGP_HEADER_LENGTH+len(body)), kind)
	return append(head, body...)
}

// Whatever a router sends, in whatever order, the functions that read it return, and find no more than the bytes can hold.
func FuzzTransport_Read(f *testing.F) {
	open := routerSettings(nil).mustEncodeOpen(f)
	f.Add(open)
	f.Add(keepaliveMessage)
	f.Add(endOfRIB([]lb.Family{lb.IPv4, lb.IPv6}))
	f.Add([]byte(strings.Repeat("\xff", 18) + "\x02"))
	f.Add(slices.Concat(open, keepaliveMessage, fuzzed(5, 0, 2, 0, 1))) // ROUTE-REFRESH.
	f.Add(fuzzed(3, 6, 9, 6, 2, 4, 'd', 'o', 'w', 'n'))                 // NOTIFICATION: a hard reset for a shutdown, with a text,
	f.Add(fuzzed(3, 6, 1, 0, 1, 1, 0, 0, 0, 100))                       // a limit of prefixes,
	f.Add(fuzzed(3, 2, 7, 65, 4, 0, 0, 0, 1))                           // a capability that is missing.
	f.Add(slices.Concat(open, fuzzed(2, 0, 0, 0, 26,                    // UPDATE: MP_REACH_NLRI, then a prefix of IPv4.
		0x80, 14, 23, 0, 2, 1, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 8, 0x20, 24, 192, 0, 2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newConnection(routerSettings(func(s *settings) { s.peerASN = 64513 }), newTransport(&bufferConn{unread: data}), newStatusRecorder(nil, func() {}))
		for {
			m, err := c.transport.read()
			if err != nil {
				return
			}
			if len(m.body) > bgp.BGP_MAX_MESSAGE_LENGTH-bgp.BGP_HEADER_LENGTH {
				t.Errorf("a message with %d bytes", len(m.body))
			}
			switch m.messageType {
			case bgp.BGP_MSG_OPEN:
				if err := c.acceptOpen(m.body); err == nil && c.encoder == nil {
					t.Error("accepted without negotiation")
				}
			case bgp.BGP_MSG_UPDATE:
				if n, err := countUpdatePrefixes(m.body); err == nil && n > len(m.body) {
					t.Errorf("%d prefixes in %d bytes", n, len(m.body))
				}
			case bgp.BGP_MSG_ROUTE_REFRESH:
				c.requestRefresh(m.body)
			case bgp.BGP_MSG_NOTIFICATION:
				if receivedNotification(m.body).text == "" {
					t.Error("a NOTIFICATION without words")
				}
			}
		}
	})
}
