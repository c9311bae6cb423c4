package bgp

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// capabilities are a set of those that we offer to routers.
type capabilities uint8

const (
	routeRefresh capabilities = 1 << iota
	fourOctetASN
	gracefulRestart
	extendedNextHop
	multiprotocolIPv4
	multiprotocolIPv6
	bfdStrictMode
	allCapabilities = 1<<iota - 1
)

// capBFDStrictMode is the code of draft-ietf-idr-bgp-bfd-strict-mode, which GoBGP's codec does not name.
const capBFDStrictMode = 74

func (c capabilities) has(one capabilities) bool { return c&one != 0 }

// multiprotocol is the capability to exchange a family (RFC 4760).
func multiprotocol(family lb.Family) capabilities {
	if family == lb.IPv6 {
		return multiprotocolIPv6
	}
	return multiprotocolIPv4
}

// offered are the capabilities of our OPEN message.
func (s *settings) offered() capabilities {
	set := routeRefresh | fourOctetASN
	for _, family := range s.families() {
		set |= multiprotocol(family)
	}
	if s.restartTime > 0 {
		set |= gracefulRestart
	}
	if s.ipv4 && s.address.Is6() {
		set |= extendedNextHop
	}
	if s.bfdStrict {
		set |= bfdStrictMode
	}
	return set &^ s.withheld
}

// canDoWithout are those of some refused capabilities that we offer, and without which there can be a session.
func (s *settings) canDoWithout(refused capabilities) capabilities {
	if s.asn() > 0xffff {
		refused &^= fourOctetASN
	}
	if !s.ipv4 { // IPv4 needs no capability (RFC 4760 section 8).
		refused &^= multiprotocolIPv6
	}
	return s.offered() & refused
}

// refusedCapabilities are the capabilities that a router does not accept, by the NOTIFICATION that it has sent; none when it
// says something else. One that does not know capabilities refuses the parameter that carries them (RFC 5492 section 3).
func refusedCapabilities(code, subcode uint8, data []byte) (set capabilities) {
	if code != bgp.BGP_ERROR_OPEN_MESSAGE_ERROR {
		return 0
	}
	switch subcode {
	case bgp.BGP_ERROR_SUB_UNSUPPORTED_OPTIONAL_PARAMETER:
		return allCapabilities
	case bgp.BGP_ERROR_SUB_UNSUPPORTED_CAPABILITY:
		for code, value := range eachCapability(data) {
			set |= capabilityOf(code, value)
		}
		if len(data) == 0 {
			return allCapabilities
		}
	}
	return set
}

// capabilityOf is one of ours by its code and value; none when it is another.
func capabilityOf(code uint8, value []byte) capabilities {
	switch code {
	case uint8(bgp.BGP_CAP_ROUTE_REFRESH):
		return routeRefresh
	case uint8(bgp.BGP_CAP_FOUR_OCTET_AS_NUMBER):
		return fourOctetASN
	case uint8(bgp.BGP_CAP_GRACEFUL_RESTART):
		return gracefulRestart
	case uint8(bgp.BGP_CAP_EXTENDED_NEXTHOP):
		return extendedNextHop
	case capBFDStrictMode:
		return bfdStrictMode
	case uint8(bgp.BGP_CAP_MULTIPROTOCOL):
		if len(value) == 4 && value[3] == bgp.SAFI_UNICAST {
			switch binary.BigEndian.Uint16(value) {
			case bgp.AFI_IP:
				return multiprotocolIPv4
			case bgp.AFI_IP6:
				return multiprotocolIPv6
			}
		}
	}
	return 0
}

// eachCapability goes through a list of capabilities (RFC 5492 section 4). It ends at one that is cut short.
func eachCapability(list []byte) func(yield func(code uint8, value []byte) bool) {
	return func(yield func(uint8, []byte) bool) {
		for len(list) >= 2 && len(list) >= 2+int(list[1]) {
			end := 2 + int(list[1])
			if !yield(list[0], list[2:end]) {
				return
			}
			list = list[end:]
		}
	}
}

// capabilityNames are those of IANA's registry that routers may ask for besides what we offer.
var capabilityNames = map[uint8]string{
	1: "multiprotocol extensions", 6: "extended message", 9: "BGP role", 69: "ADD-PATH", 70: "enhanced route refresh",
	71: "long-lived graceful restart", 73: "FQDN",
}

// capabilityTexts names the capabilities of a list, the first few when there are many.
func capabilityTexts(list []byte) string {
	const limit = 5
	var names []string
	for code, value := range eachCapability(list) {
		name := cmp.Or(capabilityOf(code, value).String(), capabilityNames[code], fmt.Sprintf("capability %d", code))
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) == limit {
			break
		}
	}
	return strings.Join(names, ", ")
}

// String names the capabilities, for people.
func (c capabilities) String() string {
	var names []string
	for i, name := range []string{
		"route refresh", "4-octet AS numbers", "graceful restart", "extended next hop encoding", "IPv4 unicast", "IPv6 unicast",
		"BFD strict mode",
	} {
		if c.has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
