package bgp

import (
	"encoding/binary"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// maxBatchLength is how many bytes of messages are written at once, at most.
const maxBatchLength = 64 << 10

// messages encodes the changes as UPDATE messages, as few as possible: prefixes that are announced alike share messages of
// up to 4096 bytes. What is announced comes before what is withdrawn, except of the families that withdrawFirst has, by
// familyIndex. The messages are returned in batches.
func (c *routeChanges) messages(withdrawFirst [2]bool) [][]byte {
	b := &batch{}
	for i := range withdrawFirst {
		if withdrawFirst[i] {
			c.appendWithdrawals(b, i)
		}
	}
	for _, g := range c.announcements {
		for rest := g.prefixes; len(rest) > 0; {
			var longer []byte
			longer, rest = appendUpdate(b.out, g.path, rest)
			b.keep(longer)
		}
	}
	for i := range withdrawFirst {
		if !withdrawFirst[i] {
			c.appendWithdrawals(b, i)
		}
	}
	return b.end()
}

// exceeds says for each family whether the router would have more prefixes than a limit for a moment, if what is announced
// came before what is withdrawn.
func (c *routeChanges) exceeds(limits prefixLimits, before *adjRIBOut) (families [2]bool) {
	for i, had := range [2]int{before.ipv4, before.ipv6} {
		families[i] = limits[i] > 0 && had+c.fresh[i] > limits[i]
	}
	return families
}

// appendWithdrawals appends those of one family, by familyIndex.
func (c *routeChanges) appendWithdrawals(b *batch, index int) {
	for rest := c.withdrawals[index]; len(rest) > 0; {
		var longer []byte
		longer, rest = appendWithdrawal(b.out, [2]lb.Family{lb.IPv4, lb.IPv6}[index], rest)
		b.keep(longer)
	}
}

// batch collects messages in batches of bounded size.
type batch struct {
	full [][]byte
	out  []byte // The batch that is being filled.
}

// keep takes the batch that is being filled with one more message.
func (b *batch) keep(longer []byte) {
	if b.out = longer; len(b.out) > maxBatchLength-bgp.BGP_MAX_MESSAGE_LENGTH {
		b.full, b.out = append(b.full, b.out), nil
	}
}

// end returns all batches.
func (b *batch) end() [][]byte {
	if len(b.out) > 0 {
		return append(b.full, b.out)
	}
	return b.full
}

// appendUpdate appends one message that announces as many of the prefixes as fit, and returns the remaining ones. IPv4
// prefixes with an IPv4 next hop are at its end (RFC 4271 section 4.3); others are in MP_REACH_NLRI (RFC 4760), which is
// the first attribute (RFC 7606 section 5.1).
func appendUpdate(out []byte, p *adjribout.Path, prefixes []netip.Prefix) (longer []byte, rest []netip.Prefix) {
	start := len(out)
	out = appendHeader(out, bgp.BGP_MSG_UPDATE)
	out = append(out, 0, 0) // No routes are withdrawn.
	length := len(out)
	out = append(out, 0, 0)
	if p.NextHop.Is4() && p.Family == lb.IPv4 {
		out = append(out, p.Attributes...)
		put16(out, length, len(out)-length-2)
		out, rest = appendPrefixes(out, prefixes, start+bgp.BGP_MAX_MESSAGE_LENGTH)
	} else {
		reach := len(out)
		out = appendMultiprotocol(out, bgp.BGP_ATTR_TYPE_MP_REACH_NLRI, p.Family)
		out = p.NextHop.Append(out)
		out = append(out, 0) // Reserved.
		out, rest = appendPrefixes(out, prefixes, start+bgp.BGP_MAX_MESSAGE_LENGTH-len(p.Attributes))
		put16(out, reach+2, len(out)-reach-4)
		out = append(out, p.Attributes...)
		put16(out, length, len(out)-length-2)
	}
	put16(out, start+16, len(out)-start)
	return out, rest
}

// appendWithdrawal appends one message that withdraws as many of the prefixes as fit, and returns the remaining ones.
// Without prefixes, it is the End-of-RIB marker of the family (RFC 4724 section 2).
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

// endOfRIB encodes the End-of-RIB markers of the families: the router has been told all its paths.
func endOfRIB(families []lb.Family) (out []byte) {
	for _, family := range families {
		out, _ = appendWithdrawal(out, family, nil)
	}
	return out
}

// appendHeader appends a message header. Its length has to be set later.
func appendHeader(out []byte, kind uint8) []byte {
	for range 16 {
		out = append(out, 0xff)
	}
	return append(out, 0, 0, kind)
}

// appendMultiprotocol appends the beginning of an attribute of RFC 4760, up to AFI and SAFI. Its length has to be set
// later.
func appendMultiprotocol(out []byte, kind bgp.BGPAttrType, family lb.Family) []byte {
	out = append(out, byte(bgp.BGP_ATTR_FLAG_OPTIONAL|bgp.BGP_ATTR_FLAG_EXTENDED_LENGTH), byte(kind), 0, 0)
	out = binary.BigEndian.AppendUint16(out, afiSAFI(family).Afi())
	return append(out, afiSAFI(family).Safi())
}

// appendPrefixes appends prefixes until out would be longer than limit, and returns the remaining ones.
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

// put16 writes a length of two bytes at an offset.
func put16(out []byte, at, value int) {
	binary.BigEndian.PutUint16(out[at:], uint16(value)) //nolint:gosec // The length of a part of a message.
}
