package bgp

import (
	"encoding/binary"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// prefixLimits are how many prefixes of each family a router accepts, by familyIndex; 0: it is not known.
type prefixLimits [2]int

// learn takes over what is known.
func (l *prefixLimits) learn(known prefixLimits) {
	for i, limit := range known {
		if limit > 0 {
			l[i] = limit
		}
	}
}

// within are the limits of a session: each is the lower one of what the router has said and what is configured.
func (l prefixLimits) within(configured int) prefixLimits {
	for i := range l {
		if l[i] == 0 || configured > 0 && configured < l[i] {
			l[i] = configured
		}
	}
	return l
}

// limitsOf are the limits that a NOTIFICATION of the router says.
func limitsOf(code, subcode uint8, data []byte) (limits prefixLimits) {
	switch {
	case code != bgp.BGP_ERROR_CEASE:
	case subcode == bgp.BGP_ERROR_SUB_HARD_RESET && len(data) >= 2 && data[1] != bgp.BGP_ERROR_SUB_HARD_RESET:
		return limitsOf(data[0], data[1], data[2:])
	case subcode == bgp.BGP_ERROR_SUB_MAXIMUM_NUMBER_OF_PREFIXES_REACHED:
		if family, limit, ok := prefixLimit(data); ok {
			limits[familyIndex(family)] = limit
		}
	}
	return limits
}

// prefixLimit reads the data of CEASE with the subcode maximum number of prefixes reached: the family and the router's limit
// (RFC 4486 section 4); false when it does not say.
func prefixLimit(data []byte) (lb.Family, int, bool) {
	if len(data) != 7 || data[2] != bgp.SAFI_UNICAST {
		return 0, 0, false
	}
	limit := int(binary.BigEndian.Uint32(data[3:]))
	switch binary.BigEndian.Uint16(data) {
	case bgp.AFI_IP:
		return lb.IPv4, limit, true
	case bgp.AFI_IP6:
		return lb.IPv6, limit, true
	}
	return 0, 0, false
}
