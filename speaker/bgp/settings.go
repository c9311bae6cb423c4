package bgp

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// maxPassword is the longest key of a TCP MD5 signature in Linux (TCP_MD5SIG_MAXKEYLEN), in bytes.
const maxPassword = 80

// minimumHold is the shortest hold time that is not 0 (RFC 4271 section 4.2).
const minimumHold = 3 * time.Second

// settings are those values of a session that its connection depends on: when one changes, the session starts anew.
// They are comparable. What is announced, and the names, are not among them.
type settings struct {
	myASN, localASN, peerASN uint32
	dynamic                  v1beta1.ASNType
	address                  netip.Addr
	port                     uint16
	source                   netip.Addr
	routerID                 netip.Addr
	hold, keepalive, connect time.Duration
	password                 string
	multiHop, ttlSecurity    bool
	restart                  time.Duration
	ipv4, ipv6               bool
	vrf                      string
	links                    [2]int
}

// restarts tells whether a session with other settings must start anew: not for the pause between two attempts.
func (s settings) restarts(other settings) bool {
	s.connect = other.connect
	return s != other
}

func settingsOf(s *announce.Session) settings {
	return settings{
		myASN: s.MyASN, localASN: s.LocalASN, peerASN: s.PeerASN, dynamic: s.Dynamic,
		address: s.Address, port: cmp.Or(s.Port, 179), source: s.Source, routerID: s.RouterID,
		hold: s.HoldTime.Truncate(time.Second), keepalive: s.KeepaliveTime, connect: cmp.Or(s.ConnectTime, 3*time.Second),
		password: s.Password, multiHop: s.MultiHop, ttlSecurity: s.TTLSecurity, restart: s.RestartTime,
		ipv4: slices.Contains(s.Families, lb.IPv4), ipv6: slices.Contains(s.Families, lb.IPv6), vrf: s.VRF, links: s.Links,
	}
}

// wrong says in words why there can be no session with these settings; nil when there can.
func (s *settings) wrong() error {
	switch {
	case !s.address.IsValid() || s.address.IsUnspecified():
		return errors.New("the address of the router is not known")
	case s.address.Is6() && s.address.IsLinkLocalUnicast() && s.address.Zone() == "":
		return fmt.Errorf("the link-local address %s needs the interface it is on", s.address)
	case s.source.IsValid() && s.source.Is4() != s.address.Is4():
		return fmt.Errorf("the source address %s and the router's address %s are not of one family", s.source, s.address)
	case s.myASN == 0:
		return errors.New("our own AS number is missing")
	case s.peerASN == 0 && s.dynamic == "":
		return errors.New("the router's AS number is missing")
	case !s.routerID.Is4() || s.routerID.IsUnspecified():
		return errors.New("there is no router ID: this node has no IPv4 address, and none is configured")
	case !s.ipv4 && !s.ipv6:
		return errors.New("no address family is configured")
	case s.hold == 0:
		return errors.New("holdTime 0s, a session without hold timer, is not possible: give at least 3s")
	case s.hold < minimumHold:
		return fmt.Errorf("holdTime %s is too short: give at least 3s", s.hold)
	case s.multiHop && s.ttlSecurity:
		return errors.New("ebgpMultiHop and ttlSecurity exclude each other")
	case len(s.password) > maxPassword:
		return fmt.Errorf("the password has %d bytes, and TCP MD5 signatures allow %d", len(s.password), maxPassword)
	}
	return nil
}

// asn is the AS number that the router is shown.
func (s *settings) asn() uint32 { return cmp.Or(s.localASN, s.myASN) }

// expectedASN is the router's, as far as it is known beforehand; 0 when any but ours will do.
func (s *settings) expectedASN() uint32 {
	if s.dynamic == v1beta1.ASNInternal {
		return s.asn()
	}
	return s.peerASN
}

// internal: the router is of our own AS.
func (s *settings) internal() bool { return s.expectedASN() == s.asn() }

// dial is the router as people write a place to connect to.
func (s *settings) dial() string { return netip.AddrPortFrom(s.address, s.port).String() }

// has tells whether a family is exchanged.
func (s *settings) has(family lb.Family) bool {
	return family == lb.IPv4 && s.ipv4 || family == lb.IPv6 && s.ipv6
}

// families exchanged, in order.
func (s *settings) families() (list []lb.Family) {
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		if s.has(family) {
			list = append(list, family)
		}
	}
	return list
}

// unnumbered: the session runs between link-local addresses.
func (s *settings) unnumbered() bool { return s.address.Is6() && s.address.IsLinkLocalUnicast() }

// endpoint is the router's: no two sessions may have the same.
func (s *settings) endpoint() endpoint {
	return endpoint{s.vrf, netip.AddrPortFrom(s.address, s.port)}
}

// endpoint tells routers apart.
type endpoint struct {
	vrf string
	at  netip.AddrPort
}

// sameRouter: both settings lead to one and the same router, and it keeps our routes when a session with one is
// followed by a session with the other.
func (s *settings) sameRouter(other *settings) bool {
	return s.endpoint() == other.endpoint() && s.source == other.source && s.asn() == other.asn() &&
		s.restart > 0 && other.restart > 0
}

// seconds is how the protocol counts time. The schema keeps all times within 16 bits.
func seconds(d time.Duration) uint32 { return uint32(max(0, d/time.Second)) } //nolint:gosec // See above.
