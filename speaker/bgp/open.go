package bgp

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// maxRestartTime is the longest restart time that the capability can carry, in seconds: 12 bits (RFC 4724 section 3).
const maxRestartTime = 1<<12 - 1

// encodeOpen encodes our OPEN message. restarting sets the R bit (RFC 4724 section 3): routes that the router may still hold
// are those of an earlier process. The F bit is always set, because the kernel forwards whether or not this process runs.
func (s *settings) encodeOpen(restarting bool) ([]byte, error) {
	var parameters []bgp.OptionParameterInterface
	if list := s.openCapabilities(restarting); len(list) > 0 {
		parameters = append(parameters, bgp.NewOptionParameterCapability(list))
	}
	asn := uint16(bgp.AS_TRANS) // Stands for a number that does not fit into two octets (RFC 6793).
	if s.asn() <= 0xffff {
		asn = uint16(s.asn()) //nolint:gosec // Checked one line above.
	}
	message, err := bgp.NewBGPOpenMessage(asn, uint16(min(seconds(s.holdTime), 0xffff)), s.routerID, parameters)
	if err != nil {
		return nil, fmt.Errorf("make OPEN: %w", err)
	}
	return message.Serialize() //nolint:wrapcheck // It cannot fail.
}

// openCapabilities are those of our OPEN message. The N bit (RFC 8538 section 2) has the router keep our routes when the hold
// timer expires, and so those of a dead node for the restart time longer. So it is set only where BFD tells the router that a
// node is dead: where it has been up, not only configured here.
func (s *settings) openCapabilities(restarting bool) (list []bgp.ParameterCapabilityInterface) {
	offered := s.offered()
	add := func(which capabilities, capability bgp.ParameterCapabilityInterface) {
		if offered.has(which) {
			list = append(list, capability)
		}
	}
	add(routeRefresh, bgp.NewCapRouteRefresh())
	add(fourOctetASN, bgp.NewCapFourOctetASNumber(s.asn()))
	var preserved []*bgp.CapGracefulRestartTuple
	for _, family := range s.families() {
		add(multiprotocol(family), bgp.NewCapMultiProtocol(afiSAFI(family)))
		preserved = append(preserved, bgp.NewCapGracefulRestartTuple(afiSAFI(family), true))
	}
	limit := uint16(min(seconds(s.restartTime), maxRestartTime))
	add(gracefulRestart, bgp.NewCapGracefulRestart(restarting, s.bfdSeen, limit, preserved))
	add(extendedNextHop, bgp.NewCapExtendedNexthop(
		[]*bgp.CapExtendedNexthopTuple{bgp.NewCapExtendedNexthopTuple(bgp.RF_IPv4_UC, bgp.AFI_IP6)}))
	add(bfdStrictMode, bgp.NewCapUnknown(capBFDStrictMode, nil))
	return list
}

// openMessage is the content of a router's OPEN message. holdTime is in seconds.
type openMessage struct {
	version, holdTime uint16
	asn               uint32
	routerID          netip.Addr
	// fourOctets: the router understands AS numbers of four octets (RFC 6793).
	fourOctets bool
	// families that the router exchanges (RFC 4760); nil when it names none.
	families []bgp.Family
	// extendedNextHop: the router accepts IPv4 prefixes with an IPv6 next hop (RFC 8950).
	extendedNextHop bool
	// gracefulRestart: the router has the capability of RFC 4724; notificationSupport: with the N bit of RFC 8538, too.
	gracefulRestart, notificationSupport bool
}

// parseOpen reads the body of an OPEN message (RFC 4271 section 4.2), also with the long form of its parameters (RFC 9072).
func parseOpen(body []byte) (*openMessage, error) {
	open := &openMessage{
		version: uint16(body[0]), asn: uint32(binary.BigEndian.Uint16(body[1:])), holdTime: binary.BigEndian.Uint16(body[3:]),
		routerID: netip.AddrFrom4([4]byte(body[5:9])),
	}
	if open.version != 4 {
		return nil, sentNotification(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_UNSUPPORTED_VERSION_NUMBER, []byte{0, 4},
			fmt.Sprintf("the router speaks version %d", open.version))
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
			return nil, sentNotification(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_UNSUPPORTED_OPTIONAL_PARAMETER, nil,
				fmt.Sprintf("the router sent parameter %d", kind))
		}
		if err := open.parseCapabilities(parameters[head:end]); err != nil {
			return nil, err
		}
		parameters = parameters[end:]
	}
	return open, nil
}

// parseCapabilities reads the capabilities of one parameter (RFC 5492). It skips those that it does not understand.
func (open *openMessage) parseCapabilities(list []byte) error {
	for len(list) > 0 {
		if len(list) < 2 || len(list) < 2+int(list[1]) {
			return malformed(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, 0, nil, "a capability is cut short")
		}
		end := 2 + int(list[1])
		capability, err := bgp.DecodeCapability(list[:end:end])
		if err == nil {
			open.addCapability(capability)
		}
		list = list[end:]
	}
	return nil
}

// addCapability records what a capability says.
func (open *openMessage) addCapability(capability bgp.ParameterCapabilityInterface) {
	switch c := capability.(type) {
	case *bgp.CapMultiProtocol:
		open.families = append(open.families, c.CapValue)
	case *bgp.CapFourOctetASNumber:
		open.fourOctets, open.asn = true, c.CapValue
	case *bgp.CapGracefulRestart:
		open.gracefulRestart, open.notificationSupport = true, c.Flags&0x04 != 0
	case *bgp.CapExtendedNexthop:
		for _, t := range c.Tuples {
			if t.NLRIAFI == bgp.AFI_IP && t.NLRISAFI == bgp.SAFI_UNICAST && t.NexthopAFI == bgp.AFI_IP6 {
				open.extendedNextHop = true
			}
		}
	}
}
