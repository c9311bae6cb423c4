package bgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// dialTimeout is the longest that one attempt to connect waits: the kernel repeats its packet more and more seldom,
	// and a new attempt meets a router that comes back sooner.
	dialTimeout = 3 * time.Second
	// networkControl is the traffic class of routing protocols, CS6 (RFC 4594 section 3.1).
	networkControl = 0xc0
	// maxHops is the hop limit that no packet from afar can have (RFC 5082).
	maxHops = 255
)

// dialer connects to a router, which dialRouter does, or says why not in the words of the standard library.
type dialer func(context.Context, *settings) (net.Conn, error)

// dialRouter connects to a router. The socket has its options before the first packet leaves.
func dialRouter(ctx context.Context, s *settings) (net.Conn, error) {
	remote, err := scoped(s.address)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: min(s.connect, dialTimeout), Control: s.control}
	if s.source.IsValid() {
		source := s.source
		if source.Is6() && source.IsLinkLocalUnicast() {
			source = source.WithZone(remote.Zone())
		}
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	return dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(remote, s.port).String()) //nolint:wrapcheck // See dialWords.
}

// scoped replaces the interface's name in an address by its number. The standard library would, too, but remembers numbers
// for a minute, in which an interface may be gone and another have its name.
func scoped(addr netip.Addr) (netip.Addr, error) {
	if addr.Zone() == "" {
		return addr, nil
	}
	link, err := net.InterfaceByName(addr.Zone())
	if err != nil {
		return addr, fmt.Errorf("there is no interface %s", addr.Zone())
	}
	return addr.WithZone(strconv.Itoa(link.Index)), nil
}

// control gives a socket the password (RFC 2385), the hop limits (RFC 5082), the traffic class and the device.
func (s *settings) control(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = s.options(int(fd)) })
	return errors.Join(err, failed)
}

func (s *settings) options(fd int) error {
	var errs []error
	set := func(level, option, value int) {
		if err := unix.SetsockoptInt(fd, level, option, value); err != nil {
			errs = append(errs, fmt.Errorf("set socket option %d of level %d: %w", option, level, err))
		}
	}
	if s.password != "" {
		if err := s.sign(fd); err != nil {
			errs = append(errs, fmt.Errorf("set the password: %w", err))
		}
	}
	level, class, hops, least := unix.IPPROTO_IPV6, unix.IPV6_TCLASS, unix.IPV6_UNICAST_HOPS, unix.IPV6_MINHOPCOUNT
	if s.address.Is4() {
		level, class, hops, least = unix.IPPROTO_IP, unix.IP_TOS, unix.IP_TTL, unix.IP_MINTTL
	}
	set(level, class, networkControl)
	if limit := s.hopLimit(); limit != 0 {
		set(level, hops, limit)
	}
	if s.ttlSecurity {
		set(level, least, maxHops)
	}
	if s.vrf != "" {
		if err := unix.BindToDevice(fd, s.vrf); err != nil {
			errs = append(errs, fmt.Errorf("bind to %s: %w", s.vrf, err))
		}
	}
	return errors.Join(errs...)
}

// sign makes the kernel sign what it sends to the router, and drop what the router has not signed.
func (s *settings) sign(fd int) error {
	signature := &unix.TCPMD5Sig{Keylen: uint16(len(s.password))} //nolint:gosec // At most maxPassword.
	copy(signature.Key[:], s.password)
	signature.Addr.Family = unix.AF_INET6
	at := 6 // struct sockaddr_in6: port and flow label come first, in sockaddr_in the port alone.
	if s.address.Is4() {
		signature.Addr.Family, at = unix.AF_INET, 2
	}
	copy(signature.Addr.Data[at:], s.address.AsSlice())
	return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, signature) //nolint:wrapcheck // The caller does.
}

// hopLimit of the packets to the router; 0: the system's default.
func (s *settings) hopLimit() int {
	switch {
	case s.ttlSecurity, s.multiHop:
		return maxHops
	case s.internal() || s.expectedASN() == 0:
		return 0
	}
	return 1
}
