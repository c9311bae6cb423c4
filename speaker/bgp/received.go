package bgp

import (
	"encoding/binary"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// countUpdatePrefixes counts the prefixes that the body of an UPDATE message announces, which is all that we use of it. Of
// the attributes, it reads MP_REACH_NLRI alone: errors in attributes do no harm here, and the session should go on (RFC
// 7606). Lengths that contradict each other are an error that ends the session (RFC 7606 section 3).
func countUpdatePrefixes(update []byte) (int, error) {
	withdrawn, rest, ok := cutLengthPrefixed(update)
	if !ok {
		return 0, malformedUpdate(bgp.BGP_ERROR_SUB_MALFORMED_ATTRIBUTE_LIST, "withdrawn routes are longer than the UPDATE")
	}
	attributes, announced, ok := cutLengthPrefixed(rest)
	if !ok {
		return 0, malformedUpdate(bgp.BGP_ERROR_SUB_MALFORMED_ATTRIBUTE_LIST, "attributes are longer than the UPDATE")
	}
	if _, ok = countPrefixes(withdrawn, 32); !ok {
		return 0, malformedUpdate(bgp.BGP_ERROR_SUB_INVALID_NETWORK_FIELD, "a withdrawn route is no prefix")
	}
	count, ok := countPrefixes(announced, 32)
	if !ok {
		return 0, malformedUpdate(bgp.BGP_ERROR_SUB_INVALID_NETWORK_FIELD, "a route is no prefix")
	}
	return count + countMPReachPrefixes(attributes), nil
}

func malformedUpdate(subcode uint8, text string) error {
	return malformed(bgp.BGP_ERROR_UPDATE_MESSAGE_ERROR, subcode, nil, text)
}

// cutLengthPrefixed splits a message into its first part, which has its length in two bytes before it, and the rest; false
// when the length does not fit.
func cutLengthPrefixed(from []byte) (part, rest []byte, ok bool) {
	if len(from) < 2 {
		return nil, nil, false
	}
	length := int(binary.BigEndian.Uint16(from))
	if length > len(from)-2 {
		return nil, nil, false
	}
	return from[2 : 2+length], from[2+length:], true
}

// countPrefixes counts the prefixes of a list. It stops with false at one that is cut short or has more bits than the
// family.
func countPrefixes(list []byte, bits int) (n int, ok bool) {
	for ; len(list) > 0; n++ {
		size := (int(list[0]) + 7) / 8
		if int(list[0]) > bits || size > len(list)-1 {
			return n, false
		}
		list = list[1+size:]
	}
	return n, true
}

// countMPReachPrefixes counts the unicast prefixes in the MP_REACH_NLRI attributes of a message.
func countMPReachPrefixes(attributes []byte) (n int) {
	for len(attributes) >= 3 {
		kind, length, head := attributes[1], int(attributes[2]), 3
		if attributes[0]&byte(bgp.BGP_ATTR_FLAG_EXTENDED_LENGTH) != 0 {
			if len(attributes) < 4 {
				return n
			}
			length, head = int(binary.BigEndian.Uint16(attributes[2:])), 4
		}
		if length > len(attributes)-head {
			return n
		}
		if kind == byte(bgp.BGP_ATTR_TYPE_MP_REACH_NLRI) {
			n += countMPReachValue(attributes[head : head+length])
		}
		attributes = attributes[head+length:]
	}
	return n
}

// countMPReachValue counts the prefixes of one MP_REACH_NLRI attribute. They follow AFI, SAFI, next hop and a reserved byte
// (RFC 4760 section 3).
func countMPReachValue(value []byte) int {
	if len(value) < 5 || len(value) < 5+int(value[3]) || value[2] != bgp.SAFI_UNICAST {
		return 0
	}
	bits := 32
	if binary.BigEndian.Uint16(value) == bgp.AFI_IP6 {
		bits = 128
	}
	n, _ := countPrefixes(value[5+int(value[3]):], bits)
	return n
}
