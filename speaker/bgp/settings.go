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

// maxPasswordLength is the longest key of a TCP MD5 signature in Linux (TCP_MD5SIG_MAXKEYLEN), in bytes.
const maxPasswordLength = 80

// minHoldTime is the shortest hold time besides 0, in which case there is no hold timer (RFC 4271 section 4.2).
const minHoldTime = 3 * time.Second

// settings are the values of a session on which its connection depends: when one of them changes, the session is reset. They
// are comparable. The paths and the names are not among them.
type settings struct {
	myASN, localASN, peerASN             uint32
	dynamic                              v1beta1.ASNType
	address                              netip.Addr
	port                                 uint16
	source                               netip.Addr
	routerID                             netip.Addr
	holdTime, keepaliveTime, connectTime time.Duration
	password                             string
	multiHop, ttlSecurity                bool
	restartTime                          time.Duration
	ipv4, ipv6                           bool
	vrf                                  string
	links                                [2]int
	// bfd: BFD watches the router.
	bfd bool
	// bfdSeen: it has been up.
	bfdSeen bool
	// bfdStrict: the session is not established before BFD is up.
	bfdStrict bool
	// maximumPrefixes that the paths keep to. What a router has refused for its limit is tried with another one.
	maximumPrefixes int
	// patience is how long an attempt to connect waits. It is 0 but for that attempt's own settings.
	patience time.Duration
	// withheld are the capabilities that the router has refused. It is 0 but for a connection's own settings.
	withheld capabilities
}

// needsReset reports whether a session with the other settings must be reset to get these. A new connectTime needs no
// reset: it only concerns the next attempt, which it starts if one is waited for. Nor do BFD, whether that has been up, its strict mode
// and the limit of prefixes: they may come and go.
func (s settings) needsReset(other settings) bool {
	s.connectTime, s.bfd, s.bfdStrict, s.maximumPrefixes = other.connectTime, other.bfd, other.bfdStrict, other.maximumPrefixes
	s.bfdSeen = other.bfdSeen
	return s != other
}

// Resets reports whether a session that runs is reset to become another one.
func Resets(was, is *announce.Session) bool {
	return is != nil && is.Problem == "" && settingsOf(is).needsReset(settingsOf(was))
}

// sameAttempt reports whether an attempt with the other settings may go as one with these. That BFD has been up changes what is offered,
// and is no reason to dial: a router whose BFD comes up after it has refused the session would be dialled at once.
func (s settings) sameAttempt(other settings) bool {
	s.bfdSeen = other.bfdSeen
	return s == other
}

// settingsOf returns the settings of a session, with defaults filled in.
func settingsOf(s *announce.Session) settings {
	return settings{
		myASN: s.MyASN, localASN: s.LocalASN, peerASN: s.PeerASN, dynamic: s.Dynamic,
		address: s.Address, port: cmp.Or(s.Port, 179), source: s.Source, routerID: s.RouterID,
		holdTime: s.HoldTime.Truncate(time.Second), keepaliveTime: s.KeepaliveTime,
		connectTime: cmp.Or(s.ConnectTime, 30*time.Second),
		password:    s.Password, multiHop: s.MultiHop, ttlSecurity: s.TTLSecurity, restartTime: s.RestartTime,
		ipv4: slices.Contains(s.Families, lb.IPv4), ipv6: slices.Contains(s.Families, lb.IPv6), vrf: s.VRF, links: s.Links,
		bfd: s.BFD != nil, bfdSeen: s.BFD != nil && s.BFDSeen, bfdStrict: s.BFDStrict, maximumPrefixes: s.MaximumPrefixes,
	}
}

// validate returns why there can be no session with these settings; nil when there can. It is the last guard: what a BGPPeer
// or an annotation says is checked where it is parsed, so that what was good before goes on.
func (s *settings) validate() error {
	if err := cmp.Or(lb.CheckRouter(s.address), lb.CheckSource(s.source, s.address)); err != nil {
		return err //nolint:wrapcheck // It says what is wrong in words.
	}
	switch {
	case s.myASN == 0:
		return errors.New("our own AS number is missing")
	case s.peerASN == 0 && s.dynamic == "":
		return errors.New("the router's AS number is missing")
	case !s.routerID.Is4() || s.routerID.IsUnspecified():
		return errors.New("there is no router ID: this node has no IPv4 address, and none is configured")
	case !s.ipv4 && !s.ipv6:
		return errors.New("no address family is configured")
	case s.multiHop && s.ttlSecurity:
		return errors.New("ebgpMultiHop and ttlSecurity exclude each other")
	case len(s.password) > maxPasswordLength:
		return fmt.Errorf("the password has %d bytes, and TCP MD5 signatures allow %d", len(s.password), maxPasswordLength)
	}
	return lb.CheckHoldTime(s.holdTime) //nolint:wrapcheck // It says what is wrong in words.
}

// ends has the AS numbers of both ends.
func (s *settings) ends() *announce.Session {
	return &announce.Session{MyASN: s.myASN, LocalASN: s.localASN, PeerASN: s.peerASN, Dynamic: s.dynamic}
}

// asn is the AS number that we show the router.
func (s *settings) asn() uint32 { return s.ends().ASN() }

// expectedASN is the AS number that the router must have; 0 when it may have any but ours.
func (s *settings) expectedASN() uint32 { return s.ends().ExpectedASN() }

// internal reports whether the router is of our own AS (IBGP).
func (s *settings) internal() bool { return s.ends().Internal() }

// routerAddrPort is the router as "address:port".
func (s *settings) routerAddrPort() string { return netip.AddrPortFrom(s.address, s.port).String() }

// has reports whether a family is configured.
func (s *settings) has(family lb.Family) bool {
	return family == lb.IPv4 && s.ipv4 || family == lb.IPv6 && s.ipv6
}

// families that are configured, in order.
func (s *settings) families() (list []lb.Family) {
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		if s.has(family) {
			list = append(list, family)
		}
	}
	return list
}

// unnumbered reports whether the session runs between link-local addresses.
func (s *settings) unnumbered() bool { return s.address.Is6() && s.address.IsLinkLocalUnicast() }

// endpoint identifies the router. No two sessions may have the same one.
func (s *settings) endpoint() endpoint {
	return endpoint{s.vrf, netip.AddrPortFrom(s.address, s.port)}
}

// endpoint identifies a router.
type endpoint struct {
	vrf      string
	addrPort netip.AddrPort
}

// sameRouter reports whether both settings lead to the same router, and it keeps our routes when a session with one is
// followed by a session with the other (graceful restart).
func (s *settings) sameRouter(other *settings) bool {
	return s.endpoint() == other.endpoint() && s.source == other.source && s.asn() == other.asn() &&
		s.restartTime > 0 && other.restartTime > 0
}

// seconds is a time as the protocol counts it. The API's schema keeps all times within 16 bits.
func seconds(d time.Duration) uint32 { return uint32(max(0, d/time.Second)) } //nolint:gosec // See above.
