package bgp

import (
	"encoding/binary"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// prefixesIn counts the prefixes that an UPDATE message announces, which is all we want to know of them. Nothing is kept,
// and attributes are not looked at but for the prefixes in MP_REACH_NLRI: what is wrong with them does no harm here, and
// RFC 7606 wants the session to go on. Lengths that contradict each other are an error, as RFC 7606 section 3 says:
// nobody knows what such a message means.
func prefixesIn(update []byte) (int, error) {
	withdrawn, rest, ok := cut(update)
	if !ok {
		return 0, badUpdate(bgp.BGP_ERROR_SUB_MALFORMED_ATTRIBUTE_LIST, "withdrawn routes are longer than the UPDATE")
	}
	attributes, announced, ok := cut(rest)
	if !ok {
		return 0, badUpdate(bgp.BGP_ERROR_SUB_MALFORMED_ATTRIBUTE_LIST, "attributes are longer than the UPDATE")
	}
	if _, ok = countPrefixes(withdrawn, 32); !ok {
		return 0, badUpdate(bgp.BGP_ERROR_SUB_INVALID_NETWORK_FIELD, "a withdrawn route is no prefix")
	}
	count, ok := countPrefixes(announced, 32)
	if !ok {
		return 0, badUpdate(bgp.BGP_ERROR_SUB_INVALID_NETWORK_FIELD, "a route is no prefix")
	}
	return count + multiprotocol(attributes), nil
}

func badUpdate(subcode uint8, words string) error {
	return malformed(bgp.BGP_ERROR_UPDATE_MESSAGE_ERROR, subcode, nil, words)
}

// cut takes a part with its length of two bytes before it from the beginning of a message.
func cut(from []byte) (part, rest []byte, ok bool) {
	if len(from) < 2 {
		return nil, nil, false
	}
	length := int(binary.BigEndian.Uint16(from))
	if length > len(from)-2 {
		return nil, nil, false
	}
	return from[2 : 2+length], from[2+length:], true
}

// countPrefixes counts those of a list, up to one that has more bits than there can be or is cut short.
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

// multiprotocol counts the unicast prefixes in the MP_REACH_NLRI attributes of a message.
func multiprotocol(attributes []byte) (n int) {
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
			n += reached(attributes[head : head+length])
		}
		attributes = attributes[head+length:]
	}
	return n
}

// reached counts the prefixes of one MP_REACH_NLRI attribute: family, next hop and a reserved byte come before them.
func reached(value []byte) int {
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
