package unnumbered

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"
)

// allRouters is the multicast group that solicitations are sent to (RFC 4291 section 2.7.1).
var allRouters = netip.MustParseAddr("ff02::2")

// Lengths of messages without options but with the ICMPv6 header, and the type of the source link-layer address option.
const (
	advertisementLength = 16
	solicitationLength  = 8
	optionSourceLink    = 1
)

// messageType is the type of a received message.
type messageType int

const (
	invalid messageType = iota
	advertisement
	solicitation
)

// classify returns the type of a message from a source, or invalid. It makes the checks of RFC 4861 sections 6.1.1 and
// 6.1.2 except that of the hop limit; the kernel verifies the checksum. It does not use the ndp codec, which rejects a
// message for a single option that it cannot parse, because we ignore the options.
func classify(message []byte, source netip.Addr) messageType {
	if len(message) < solicitationLength || message[1] != 0 {
		return invalid
	}
	switch ipv6.ICMPType(message[0]) {
	case ipv6.ICMPTypeRouterAdvertisement:
		if len(message) < advertisementLength || source.Is4In6() || !source.IsLinkLocalUnicast() {
			return invalid
		}
		if _, ok := parseOptions(message[advertisementLength:]); ok {
			return advertisement
		}
	case ipv6.ICMPTypeRouterSolicitation:
		given, ok := parseOptions(message[solicitationLength:])
		if ok && !source.IsMulticast() && !(source.IsUnspecified() && given) {
			return solicitation
		}
	default: // The socket's filter passes no other type.
	}
	return invalid
}

// parseOptions reads options (RFC 4861 section 4.6). It reports whether a source link-layer address is among them, and
// whether all of them are complete.
func parseOptions(list []byte) (sourceLink, ok bool) {
	for len(list) > 0 {
		if len(list) < 2 || list[1] == 0 || len(list) < 8*int(list[1]) {
			return false, false
		}
		sourceLink = sourceLink || list[0] == optionSourceLink
		list = list[8*int(list[1]):]
	}
	return sourceLink, true
}

// routerAdvertisement returns our own advertisement. All its fields are zero, above all the router lifetime: we are not
// a default router. The link-layer address is missing on links other than Ethernet.
func routerAdvertisement(mac net.HardwareAddr) ndp.Message {
	return &ndp.RouterAdvertisement{Options: sourceLinkLayerAddress(mac)}
}

// routerSolicitation returns our solicitation.
func routerSolicitation(mac net.HardwareAddr) ndp.Message {
	return &ndp.RouterSolicitation{Options: sourceLinkLayerAddress(mac)}
}

// sourceLinkLayerAddress returns the option that saves the receiver a solicitation for our MAC address.
func sourceLinkLayerAddress(mac net.HardwareAddr) []ndp.Option {
	if mac == nil {
		return nil
	}
	return []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: mac}}
}

// send sends a message to a destination.
func send(conn *ndp.Conn, message ndp.Message, group netip.Addr) error {
	if err := conn.WriteTo(message, nil, group); err != nil {
		return fmt.Errorf("send a %s: %w", message.Type(), err)
	}
	return nil
}
