package bgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/speaker/publicsource"
)

const (
	// networkControl is the traffic class of routing protocols, CS6 (RFC 4594 section 3.1).
	networkControl = 0xc0
	// maxHopLimit is the largest hop limit. A packet that still has it has crossed no router (RFC 5082).
	maxHopLimit = 255
)

// dialer connects to a router; dialRouter is the real one. Its errors are those of the standard library.
type dialer func(context.Context, *settings) (net.Conn, error)

// dialRouter connects to a router. The socket's options are set before the first packet leaves.
func dialRouter(ctx context.Context, s *settings) (net.Conn, error) {
	remote, err := zoneAsIndex(s.address)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: min(s.connectTime, s.patience), Control: s.control}
	if s.source.IsValid() {
		source := s.source
		if source.Is6() && source.IsLinkLocalUnicast() {
			source = source.WithZone(remote.Zone())
		}
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	return dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(remote, s.port).String()) //nolint:wrapcheck // See dialErrorText.
}

// zoneAsIndex replaces the interface's name in the zone of an address by its index. The standard library does so too, but
// caches indexes for a minute, in which an interface can be replaced by another of the same name.
func zoneAsIndex(addr netip.Addr) (netip.Addr, error) {
	if addr.Zone() == "" {
		return addr, nil
	}
	link, err := net.InterfaceByName(addr.Zone())
	if err != nil {
		return addr, fmt.Errorf("there is no interface %s", addr.Zone())
	}
	return addr.WithZone(strconv.Itoa(link.Index)), nil
}

// control sets a socket's password (RFC 2385), hop limits (RFC 5082), traffic class, preferred source and device.
func (s *settings) control(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = s.setOptions(int(fd)) })
	return errors.Join(err, failed)
}

func (s *settings) setOptions(fd int) error {
	var errs []error
	set := func(level, option, value int) {
		if err := unix.SetsockoptInt(fd, level, option, value); err != nil {
			errs = append(errs, fmt.Errorf("set socket option %d of level %d: %w", option, level, err))
		}
	}
	if s.password != "" {
		if err := s.setPassword(fd); err != nil {
			errs = append(errs, fmt.Errorf("set the password: %w", err))
		}
	}
	level, class, hops, minimum := unix.IPPROTO_IPV6, unix.IPV6_TCLASS, unix.IPV6_UNICAST_HOPS, unix.IPV6_MINHOPCOUNT
	if s.address.Is4() {
		level, class, hops, minimum = unix.IPPROTO_IP, unix.IP_TOS, unix.IP_TTL, unix.IP_MINTTL
	}
	set(level, class, networkControl)
	if s.address.Is6() {
		errs = append(errs, publicsource.Prefer(fd))
	}
	if limit := s.hopLimit(); limit != 0 {
		set(level, hops, limit)
	}
	if s.ttlSecurity {
		set(level, minimum, maxHopLimit)
	}
	if s.vrf != "" {
		if err := unix.BindToDevice(fd, s.vrf); err != nil {
			errs = append(errs, fmt.Errorf("bind to %s: %w", s.vrf, err))
		}
	}
	return errors.Join(errs...)
}

// setPassword makes the kernel sign the segments that it sends to the router, and drop those that the router has not signed
// (RFC 2385).
func (s *settings) setPassword(fd int) error {
	signature := &unix.TCPMD5Sig{Keylen: uint16(len(s.password))} //nolint:gosec // At most maxPasswordLength.
	copy(signature.Key[:], s.password)
	signature.Addr.Family = unix.AF_INET6
	offset := 6 // In struct sockaddr_in6, port and flow label come before the address; in sockaddr_in, the port alone.
	if s.address.Is4() {
		signature.Addr.Family, offset = unix.AF_INET, 2
	}
	copy(signature.Addr.Data[offset:], s.address.AsSlice())
	return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, signature) //nolint:wrapcheck // The caller does.
}

// hopLimit of the packets to the router; 0 for the system's default.
func (s *settings) hopLimit() int {
	switch {
	case s.ttlSecurity, s.multiHop:
		return maxHopLimit
	case s.internal() || s.expectedASN() == 0:
		return 0
	}
	return 1
}

// dialErrorPrefix matches the beginning that the standard library gives errors of dialing.
var dialErrorPrefix = regexp.MustCompile(`^dial \S+ \S+: `)

// dialErrorText says why a connection could not be made, in the form "connect to 192.0.2.1:179: connection refused".
func dialErrorText(s *settings, failure string) string {
	reason := dialErrorPrefix.ReplaceAllString(failure, "")
	if rest, ok := strings.CutPrefix(reason, "bind: "); ok {
		return fmt.Sprintf("connect to %s from %s: %s", s.routerAddrPort(), s.source, rest)
	}
	reason = strings.TrimPrefix(reason, "connect: ")
	if reason == "i/o timeout" {
		reason = "no answer"
		if s.password != "" {
			reason += " (which is also how a wrong password shows)"
		}
	}
	return fmt.Sprintf("connect to %s: %s", s.routerAddrPort(), reason)
}
