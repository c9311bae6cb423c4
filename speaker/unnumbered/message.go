package unnumbered

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"
)

// allRouters is the group that solicitations are sent to (RFC 4291 section 2.7.1).
var allRouters = netip.MustParseAddr("ff02::2")

// Lengths of messages before their options, with the ICMPv6 header, and the type of the one option that is looked for.
const (
	advertisementLength = 16
	solicitationLength  = 8
	optionSourceLink    = 1
)

// kind of a message.
type kind int

const (
	invalid kind = iota
	advertisement
	solicitation
)

// kindOf tells what a message is, given its source, by the rules of RFC 4861 sections 6.1.1 and 6.1.2 but for the hop
// limit; the checksum is verified by the kernel. A codec is not asked: ours refuses the whole message for one option it
// finds amiss, and what is in the options is of no interest here.
func kindOf(message []byte, source netip.Addr) kind {
	if len(message) < solicitationLength || message[1] != 0 {
		return invalid
	}
	switch ipv6.ICMPType(message[0]) {
	case ipv6.ICMPTypeRouterAdvertisement:
		if len(message) < advertisementLength || source.Is4In6() || !source.IsLinkLocalUnicast() {
			return invalid
		}
		if _, ok := options(message[advertisementLength:]); ok {
			return advertisement
		}
	case ipv6.ICMPTypeRouterSolicitation:
		given, ok := options(message[solicitationLength:])
		if ok && !source.IsMulticast() && !(source.IsUnspecified() && given) {
			return solicitation
		}
	}
	return invalid
}

// options walks over options (section 4.6), and reports whether there is a source link-layer address and whether all of
// them are whole.
func options(list []byte) (sourceLink, ok bool) {
	for len(list) > 0 {
		if len(list) < 2 || list[1] == 0 || len(list) < 8*int(list[1]) {
			return false, false
		}
		sourceLink = sourceLink || list[0] == optionSourceLink
		list = list[8*int(list[1]):]
	}
	return sourceLink, true
}

// announcement is our own advertisement: of a router that is nobody's default router, knows no prefixes, and leaves all
// else unspecified. The address is missing on links that are not of the Ethernet kind.
func announcement(mac net.HardwareAddr) ndp.Message {
	return &ndp.RouterAdvertisement{Options: sourceLink(mac)}
}

// question is our solicitation.
func question(mac net.HardwareAddr) ndp.Message {
	return &ndp.RouterSolicitation{Options: sourceLink(mac)}
}

// sourceLink is the option that spares the other end a question for our MAC address.
func sourceLink(mac net.HardwareAddr) []ndp.Option {
	if mac == nil {
		return nil
	}
	return []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: mac}}
}

// send sends a message to a group.
func send(conn *ndp.Conn, message ndp.Message, group netip.Addr) error {
	if err := conn.WriteTo(message, nil, group); err != nil {
		return fmt.Errorf("send a %s: %w", message.Type(), err)
	}
	return nil
}
