package bgp

import (
	"encoding/binary"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// batch is how many bytes of messages are written at once, at most.
const batch = 64 << 10

// messages encodes changes as UPDATE messages, as few as there can be: prefixes that are announced alike share one up to
// its limit of 4096 bytes. What is new or changed comes before what is withdrawn. The messages come in batches.
func (c *changes) messages() (batches [][]byte) {
	var out []byte
	keep := func(next []byte) {
		if out = next; len(out) > batch-bgp.BGP_MAX_MESSAGE_LENGTH {
			batches, out = append(batches, out), nil
		}
	}
	for _, g := range c.announce {
		for rest := g.prefixes; len(rest) > 0; {
			var next []byte
			next, rest = g.code.appendUpdate(out, rest)
			keep(next)
		}
	}
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		for rest := c.withdraw[place(family)]; len(rest) > 0; {
			var next []byte
			next, rest = appendWithdrawal(out, family, rest)
			keep(next)
		}
	}
	if len(out) > 0 {
		batches = append(batches, out)
	}
	return batches
}

// appendUpdate appends one message that announces as many of the prefixes as it holds, and gives the rest. IPv4 prefixes
// with an IPv4 next hop stand at its end (RFC 4271), others in MP_REACH_NLRI (RFC 4760), which comes first as RFC 7606
// section 5.1 wants.
func (c *code) appendUpdate(out []byte, prefixes []netip.Prefix) (longer []byte, rest []netip.Prefix) {
	start := len(out)
	out = appendHeader(out, bgp.BGP_MSG_UPDATE)
	out = append(out, 0, 0) // No routes are withdrawn.
	length := len(out)
	out = append(out, 0, 0)
	if c.next.is4() && c.family == lb.IPv4 {
		out = append(out, c.attributes...)
		put16(out, length, len(out)-length-2)
		out, rest = appendPrefixes(out, prefixes, start+bgp.BGP_MAX_MESSAGE_LENGTH)
	} else {
		reach := len(out)
		out = appendMultiprotocol(out, bgp.BGP_ATTR_TYPE_MP_REACH_NLRI, c.family)
		out = c.next.append(out)
		out = append(out, 0) // Reserved.
		out, rest = appendPrefixes(out, prefixes, start+bgp.BGP_MAX_MESSAGE_LENGTH-len(c.attributes))
		put16(out, reach+2, len(out)-reach-4)
		out = append(out, c.attributes...)
		put16(out, length, len(out)-length-2)
	}
	put16(out, start+16, len(out)-start)
	return out, rest
}

// appendWithdrawal appends one message that withdraws as many of the prefixes as it holds, and gives the rest. Without
// prefixes it is the family's End-of-RIB marker (RFC 4724 section 2).
func appendWithdrawal(out []byte, family lb.Family, prefixes []netip.Prefix) (longer []byte, rest []netip.Prefix) {
	start := len(out)
	out = appendHeader(out, bgp.BGP_MSG_UPDATE)
	length := len(out)
	out = append(out, 0, 0)
	if family == lb.IPv4 {
		out, rest = appendPrefixes(out, prefixes, start+bgp.BGP_MAX_MESSAGE_LENGTH-2)
		put16(out, length, len(out)-length-2)
		out = append(out, 0, 0) // There are no attributes.
	} else {
		length += 2
		out = append(out, 0, 0)
		unreach := len(out)
		out = appendMultiprotocol(out, bgp.BGP_ATTR_TYPE_MP_UNREACH_NLRI, family)
		out, rest = appendPrefixes(out, prefixes, start+bgp.BGP_MAX_MESSAGE_LENGTH)
		put16(out, unreach+2, len(out)-unreach-4)
		put16(out, length, len(out)-length-2)
	}
	put16(out, start+16, len(out)-start)
	return out, rest
}

// endOfRIB marks, for each family, that the router has been told all.
func endOfRIB(families []lb.Family) (out []byte) {
	for _, family := range families {
		out, _ = appendWithdrawal(out, family, nil)
	}
	return out
}

// appendHeader appends a header whose length is still to be put.
func appendHeader(out []byte, kind uint8) []byte {
	for range 16 {
		out = append(out, 0xff)
	}
	return append(out, 0, 0, kind)
}

// appendMultiprotocol appends the beginning of an attribute of RFC 4760, up to the family, with its length still to be put.
func appendMultiprotocol(out []byte, kind bgp.BGPAttrType, family lb.Family) []byte {
	out = append(out, byte(bgp.BGP_ATTR_FLAG_OPTIONAL|bgp.BGP_ATTR_FLAG_EXTENDED_LENGTH), byte(kind), 0, 0)
	out = binary.BigEndian.AppendUint16(out, wireFamily(family).Afi())
	return append(out, wireFamily(family).Safi())
}

// append appends a next hop with its length before it: 16 bytes for one address, 32 for a global and a link-local one.
func (h hop) append(out []byte) []byte {
	place := len(out)
	out = append(out, 0)
	if h.addr.IsValid() {
		global := h.addr.As16()
		out = append(out, global[:]...)
	}
	if h.linkLocal.IsValid() {
		local := h.linkLocal.As16()
		out = append(out, local[:]...)
	}
	out[place] = byte(len(out) - place - 1) //nolint:gosec // At most 32.
	return out
}

// appendPrefixes appends prefixes as long as out does not get longer than limit, and gives the rest.
func appendPrefixes(out []byte, prefixes []netip.Prefix, limit int) (longer []byte, rest []netip.Prefix) {
	for i, prefix := range prefixes {
		size := (prefix.Bits() + 7) / 8
		if len(out)+1+size > limit {
			return out, prefixes[i:]
		}
		out = append(out, byte(prefix.Bits())) //nolint:gosec // At most 128.
		if addr := prefix.Masked().Addr(); addr.Is4() {
			bytes := addr.As4()
			out = append(out, bytes[:size]...)
		} else {
			bytes := addr.As16()
			out = append(out, bytes[:size]...)
		}
	}
	return out, nil
}

func put16(out []byte, at, value int) {
	binary.BigEndian.PutUint16(out[at:], uint16(value)) //nolint:gosec // A length within a message.
}
