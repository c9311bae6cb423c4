package bgp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/lb"
)

// inquiry is how long a router has to say why it refuses us.
const inquiry = 3 * time.Second

// inquire asks a router that refused our OPEN message why: it sends the message once more, over a connection of its own,
// and reads what GoBGP does not, the NOTIFICATION. The answer is empty when the router does not say, or has nothing against
// us any more; the next attempt of GoBGP will show.
func inquire(ctx context.Context, s *settings) string {
	ctx, cancel := context.WithTimeout(ctx, inquiry)
	defer cancel()
	dialer := net.Dialer{Control: s.control}
	if s.source.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: s.source.AsSlice(), Zone: s.source.Zone()}
	}
	conn, err := dialer.DialContext(ctx, "tcp", s.dial())
	if err != nil {
		return dialWords(s, err.Error())
	}
	defer conn.Close() //nolint:errcheck // Nothing was promised over it.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	answer, err := s.ask(conn)
	if err != nil || answer == nil {
		return ""
	}
	return "router sent NOTIFICATION: " + notificationWords(answer.ErrorCode, answer.ErrorSubcode, answer.Data)
}

// ask sends our OPEN message and reads up to a NOTIFICATION, or nil when the router accepts us.
func (s *settings) ask(conn io.ReadWriter) (*bgp.BGPNotification, error) {
	open, err := s.open()
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(open); err != nil {
		return nil, fmt.Errorf("send OPEN: %w", err)
	}
	for {
		message, err := read(conn)
		if err != nil {
			return nil, err
		}
		switch body := message.Body.(type) {
		case *bgp.BGPNotification:
			return body, nil
		case *bgp.BGPOpen: // Its verdict on ours is still to come.
		default:
			return nil, nil
		}
	}
}

// open is an OPEN message with what a router may take exception to: versions, AS number, router ID, hold time, families.
func (s *settings) open() ([]byte, error) {
	capabilities := []bgp.ParameterCapabilityInterface{bgp.NewCapRouteRefresh(), bgp.NewCapFourOctetASNumber(s.asn())}
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		if s.has(family) {
			capabilities = append(capabilities, bgp.NewCapMultiProtocol(wireFamily(family)))
		}
	}
	asn := uint16(bgp.AS_TRANS) // RFC 6793: what stands in for a number that has no room.
	if s.asn() <= 0xffff {
		asn = uint16(s.asn()) //nolint:gosec // It has just been looked at.
	}
	hold := uint16(seconds(s.hold)) //nolint:gosec // The schema keeps it within 16 bits.
	message, err := bgp.NewBGPOpenMessage(asn, hold, s.routerID,
		[]bgp.OptionParameterInterface{bgp.NewOptionParameterCapability(capabilities)})
	if err != nil {
		return nil, fmt.Errorf("make OPEN: %w", err)
	}
	return message.Serialize() //nolint:wrapcheck // Cannot fail.
}

func read(conn io.Reader) (*bgp.BGPMessage, error) {
	var header [bgp.BGP_HEADER_LENGTH]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return nil, fmt.Errorf("read a message: %w", err)
	}
	h := &bgp.BGPHeader{}
	if err := h.DecodeFromBytes(header[:]); err != nil {
		return nil, fmt.Errorf("read a message: %w", err)
	}
	if h.Len > bgp.BGP_MAX_MESSAGE_LENGTH {
		return nil, errors.New("read a message: it is too long")
	}
	body := make([]byte, h.Len-bgp.BGP_HEADER_LENGTH)
	if _, err := io.ReadFull(conn, body); err != nil {
		return nil, fmt.Errorf("read a message: %w", err)
	}
	return bgp.ParseBGPBody(h, body) //nolint:wrapcheck // Says what it is.
}

// control gives a socket what the session's own has: the password (RFC 2385), the hop limit (RFC 5082) and the device.
func (s *settings) control(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = s.options(int(fd)) })
	return errors.Join(err, failed)
}

func (s *settings) options(fd int) error {
	var errs []error
	if s.password != "" {
		signature := &unix.TCPMD5Sig{Keylen: uint16(len(s.password))} //nolint:gosec // At most maxPassword.
		copy(signature.Key[:], s.password)
		signature.Addr.Family = unix.AF_INET6
		at := 6 // struct sockaddr_in6: port and flow label come first, in sockaddr_in the port alone.
		if s.address.Is4() {
			signature.Addr.Family, at = unix.AF_INET, 2
		}
		copy(signature.Addr.Data[at:], s.address.AsSlice())
		errs = append(errs, unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, signature))
	}
	if hops := s.hopLimit(); hops != 0 {
		if s.address.Is4() {
			errs = append(errs, unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, hops))
		} else {
			errs = append(errs, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, hops))
		}
	}
	if s.vrf != "" {
		errs = append(errs, unix.BindToDevice(fd, s.vrf))
	}
	return errors.Join(errs...)
}

// hopLimit of the packets to the router; 0: the system's default.
func (s *settings) hopLimit() int {
	switch {
	case s.ttlSecurity, s.multiHop:
		return 255
	case s.internal() || s.expectedASN() == 0:
		return 0
	}
	return 1
}
