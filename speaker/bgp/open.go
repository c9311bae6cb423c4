package bgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// restartTimeLimit is the longest restart time that RFC 4724 has room for: 12 bits of seconds.
const restartTimeLimit = 1<<12 - 1

// open encodes our OPEN message. restarting sets the R bit of RFC 4724: the routes that the router may hold are those of
// a process before this one. The F bit is set always, as the kernel forwards whether or not this process runs.
func (s *settings) open(restarting bool) ([]byte, error) {
	capabilities := []bgp.ParameterCapabilityInterface{bgp.NewCapRouteRefresh(), bgp.NewCapFourOctetASNumber(s.asn())}
	var preserved []*bgp.CapGracefulRestartTuple
	for _, family := range s.families() {
		capabilities = append(capabilities, bgp.NewCapMultiProtocol(wireFamily(family)))
		preserved = append(preserved, bgp.NewCapGracefulRestartTuple(wireFamily(family), true))
	}
	if s.restart > 0 {
		limit := uint16(min(seconds(s.restart), restartTimeLimit))
		capabilities = append(capabilities, bgp.NewCapGracefulRestart(restarting, true, limit, preserved))
	}
	if s.ipv4 && s.address.Is6() {
		capabilities = append(capabilities, bgp.NewCapExtendedNexthop(
			[]*bgp.CapExtendedNexthopTuple{bgp.NewCapExtendedNexthopTuple(bgp.RF_IPv4_UC, bgp.AFI_IP6)}))
	}
	asn := uint16(bgp.AS_TRANS) // RFC 6793: what stands in for a number that has no room.
	if s.asn() <= 0xffff {
		asn = uint16(s.asn()) //nolint:gosec // It has just been looked at.
	}
	message, err := bgp.NewBGPOpenMessage(asn, uint16(min(seconds(s.hold), 0xffff)), s.routerID,
		[]bgp.OptionParameterInterface{bgp.NewOptionParameterCapability(capabilities)})
	if err != nil {
		return nil, fmt.Errorf("make OPEN: %w", err)
	}
	return message.Serialize() //nolint:wrapcheck // Cannot fail.
}

// hello is what a router's OPEN message says.
type hello struct {
	version, hold uint16
	asn           uint32
	id            netip.Addr
	// fourOctets: it understands AS numbers of four octets.
	fourOctets bool
	// families that it takes; nil: it names none.
	families []bgp.Family
	// extendedNextHop: it takes IPv4 prefixes with an IPv6 next hop (RFC 8950).
	extendedNextHop bool
	// graceful: it has the graceful restart capability; notification: also RFC 8538's extension of it.
	graceful, notification bool
}

// parseOpen reads the body of an OPEN message, RFC 4271 section 4.2, with the long form of its parameters (RFC 9072).
func parseOpen(body []byte) (*hello, error) {
	h := &hello{
		version: uint16(body[0]), asn: uint32(binary.BigEndian.Uint16(body[1:])), hold: binary.BigEndian.Uint16(body[3:]),
		id: netip.AddrFrom4([4]byte(body[5:9])),
	}
	if h.version != 4 {
		return nil, objection(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_UNSUPPORTED_VERSION_NUMBER, []byte{0, 4},
			fmt.Sprintf("the router speaks version %d", h.version))
	}
	length, parameters, head := int(body[9]), body[10:], 2
	if length != 0 && len(parameters) >= 3 && parameters[0] == 255 {
		length, parameters, head = int(binary.BigEndian.Uint16(parameters[1:])), parameters[3:], 3
	}
	if length != len(parameters) {
		return nil, malformed(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, 0, nil, "the optional parameters of OPEN have another length")
	}
	for len(parameters) > 0 {
		if len(parameters) < head {
			return nil, malformed(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, 0, nil, "an optional parameter of OPEN is cut short")
		}
		kind, end := parameters[0], head+int(parameters[1])
		if head == 3 {
			end = head + int(binary.BigEndian.Uint16(parameters[1:]))
		}
		if end > len(parameters) {
			return nil, malformed(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, 0, nil, "an optional parameter of OPEN is cut short")
		}
		if kind != bgp.BGP_OPT_CAPABILITY {
			return nil, objection(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_UNSUPPORTED_OPTIONAL_PARAMETER, nil,
				fmt.Sprintf("the router sent parameter %d", kind))
		}
		if err := h.capabilities(parameters[head:end]); err != nil {
			return nil, err
		}
		parameters = parameters[end:]
	}
	return h, nil
}

// capabilities reads those of one parameter (RFC 5492). What is not understood is passed over.
func (h *hello) capabilities(list []byte) error {
	for len(list) > 0 {
		if len(list) < 2 || len(list) < 2+int(list[1]) {
			return malformed(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, 0, nil, "a capability is cut short")
		}
		end := 2 + int(list[1])
		capability, err := bgp.DecodeCapability(list[:end:end])
		if err == nil {
			h.take(capability)
		}
		list = list[end:]
	}
	return nil
}

// take notes what a capability says.
func (h *hello) take(capability bgp.ParameterCapabilityInterface) {
	switch c := capability.(type) {
	case *bgp.CapMultiProtocol:
		h.families = append(h.families, c.CapValue)
	case *bgp.CapFourOctetASNumber:
		h.fourOctets, h.asn = true, c.CapValue
	case *bgp.CapGracefulRestart:
		h.graceful, h.notification = true, c.Flags&0x04 != 0
	case *bgp.CapExtendedNexthop:
		for _, t := range c.Tuples {
			if t.NLRIAFI == bgp.AFI_IP && t.NLRISAFI == bgp.SAFI_UNICAST && t.NexthopAFI == bgp.AFI_IP6 {
				h.extendedNextHop = true
			}
		}
	}
}

// terms are what both OPEN messages agree on.
type terms struct {
	hold, keepalive time.Duration // 0: neither timer runs
	families        []lb.Family
	// missing are families that we want and the router does not take.
	missing                                             []lb.Family
	fourOctets, extendedNextHop, graceful, notification bool
}

// agree compares a router's OPEN message with what we want, and says what is against a session (RFC 4271 section 6.2).
func (s *settings) agree(with *hello) (*terms, error) {
	refuse := func(subcode uint8, words string) error {
		return objection(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, subcode, nil, words)
	}
	hold := time.Duration(with.hold) * time.Second
	switch expected := s.expectedASN(); {
	case expected != 0 && with.asn != expected:
		return nil, refuse(bgp.BGP_ERROR_SUB_BAD_PEER_AS, fmt.Sprintf("the router is not of AS %d, but of AS %d", expected, with.asn))
	case s.dynamic == v1beta1.ASNExternal && with.asn == s.asn():
		return nil, refuse(bgp.BGP_ERROR_SUB_BAD_PEER_AS, "the router is of our own AS, and must be of another")
	case with.asn == 0: // RFC 7607.
		return nil, refuse(bgp.BGP_ERROR_SUB_BAD_PEER_AS, "the router is of AS 0")
	case with.id.IsUnspecified() || s.internal() && with.id == s.routerID: // RFC 6286.
		return nil, refuse(bgp.BGP_ERROR_SUB_BAD_BGP_IDENTIFIER, fmt.Sprintf("the router's ID is %s", with.id))
	case hold != 0 && hold < minimumHold:
		return nil, refuse(bgp.BGP_ERROR_SUB_UNACCEPTABLE_HOLD_TIME, fmt.Sprintf("the router's is %s", hold))
	}
	t := &terms{
		hold: min(hold, s.hold), fourOctets: with.fourOctets, extendedNextHop: with.extendedNextHop && s.address.Is6(),
		graceful: with.graceful && s.restart > 0,
	}
	t.notification = t.graceful && with.notification
	if t.keepalive = t.hold / 3; s.keepalive > 0 {
		t.keepalive = min(t.keepalive, s.keepalive)
	}
	for _, family := range s.families() {
		// A router that names no family takes IPv4 (RFC 4760 section 8).
		if slices.Contains(with.families, wireFamily(family)) || with.families == nil && family == lb.IPv4 {
			t.families = append(t.families, family)
		} else {
			t.missing = append(t.missing, family)
		}
	}
	return t, nil
}

// lacking says which families we want and the router does not take; empty when none.
func (t *terms) lacking() string {
	if len(t.missing) == 0 {
		return ""
	}
	var names []string
	for _, family := range t.missing {
		names = append(names, family.String())
	}
	return "the router does not exchange " + strings.Join(names, " and ") + " unicast on this session"
}

func wireFamily(family lb.Family) bgp.Family {
	if family == lb.IPv6 {
		return bgp.RF_IPv6_UC
	}
	return bgp.RF_IPv4_UC
}
