package adjribout

import (
	"encoding/binary"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Types of path attributes, and their flags (RFC 4271 section 4.3).
const (
	origin              = 1
	asPath              = 2
	nextHopAttribute    = 3
	multiExitDisc       = 4
	localPref           = 5
	communities         = 8
	extendedCommunities = 16
	as4Path             = 17
	largeCommunities    = 32

	optional       = 0x80
	transitive     = 0x40
	extendedLength = 0x10
)

// asTrans is AS_TRANS (RFC 6793).
const asTrans = 23456

// A segment of an AS path is an ordered one, and holds 255 AS numbers at most (RFC 4271 section 4.3).
const (
	sequence         = 2
	maxSegmentLength = 255
)

// ASPath is empty for internal routers, which would see a loop; for external ones it is our AS number, once and as often as it is
// prepended. A localASN replaces our AS number, as with FRR's "local-as N no-prepend replace-as".
func (e *Encoder) ASPath(from *announce.Attributes) []uint32 {
	if e.Internal {
		return nil
	}
	return slices.Repeat([]uint32{e.ASN}, 1+from.Prepend)
}

// LocalPref is sent to internal routers only.
func (e *Encoder) LocalPref(from *announce.Attributes) (preference uint32, sent bool) {
	if from.LocalPref == nil {
		return announce.DefaultLocalPref, e.Internal
	}
	return *from.LocalPref, e.Internal
}

// Communities that are sent. A path with a weight has one link bandwidth, that of the weight: routers take the least of several.
func (e *Encoder) Communities(from *announce.Attributes) []lb.Community {
	if from.Weight == 0 {
		return from.Communities
	}
	sent := slices.DeleteFunc(slices.Clone(from.Communities), lb.Community.IsLinkBandwidth)
	sent = append(sent, lb.LinkBandwidth(e.ASN, from.Weight))
	slices.SortFunc(sent, lb.Community.Compare)
	return sent
}

// attributes encodes the path attributes of RFC 4271 section 5.1, RFC 1997, RFC 4360 and RFC 8092, sorted by type, for prefixes with a
// next hop. An IPv6 next hop is left out: it belongs into MP_REACH_NLRI.
func (e *Encoder) attributes(from *announce.Attributes, next NextHop) (out []byte) {
	out = appendAttribute(out, transitive, origin, []byte{0}) // IGP
	path := e.ASPath(from)
	out = appendAttribute(out, transitive, asPath, segments(path, e.number))
	if next.Is4() {
		out = appendAttribute(out, transitive, nextHopAttribute, next.Addr.AsSlice())
	}
	if from.MED != nil {
		out = appendAttribute(out, optional, multiExitDisc, number(*from.MED))
	}
	if preference, sent := e.LocalPref(from); sent {
		out = appendAttribute(out, transitive, localPref, number(preference))
	}
	standard, extended, large := separate(e.Communities(from))
	out = appendIfAny(out, communities, standard)
	out = appendIfAny(out, extendedCommunities, extended)
	if len(path) > 0 && !e.FourOctets && e.ASN > 0xffff {
		out = appendAttribute(out, optional|transitive, as4Path, segments(path, number))
	}
	return appendIfAny(out, largeCommunities, large)
}

// segments of an AS path.
func segments(path []uint32, encode func(uint32) []byte) (out []byte) {
	for part := range slices.Chunk(path, maxSegmentLength) {
		out = append(out, sequence, byte(len(part))) //nolint:gosec // At most 255.
		for _, asn := range part {
			out = append(out, encode(asn)...)
		}
	}
	return out
}

// number encodes an AS number for AS_PATH. In two octets AS_TRANS stands for one that does not fit, and AS4_PATH has it (RFC 6793
// section 4.2.2).
func (e *Encoder) number(asn uint32) []byte {
	switch {
	case e.FourOctets:
		return number(asn)
	case asn > 0xffff:
		asn = asTrans
	}
	return binary.BigEndian.AppendUint16(nil, uint16(asn))
}

// separate standard communities (RFC 1997), extended (RFC 4360) and large ones (RFC 8092), as they are sent.
func separate(from []lb.Community) (standard, extended, large []byte) {
	for _, c := range from {
		switch c.Kind {
		case lb.LargeCommunity:
			for _, part := range c.Parts {
				large = binary.BigEndian.AppendUint32(large, part)
			}
		case lb.ExtendedCommunity:
			octets := c.Octets()
			extended = append(extended, octets[:]...)
		default:
			standard = binary.BigEndian.AppendUint32(standard, c.Value())
		}
	}
	return standard, extended, large
}

// appendIfAny appends an attribute with communities, if there are any.
func appendIfAny(out []byte, kind byte, value []byte) []byte {
	if len(value) == 0 {
		return out
	}
	return appendAttribute(out, optional|transitive, kind, value)
}

// appendAttribute appends an attribute. A length of more than one octet needs a flag.
func appendAttribute(out []byte, flags, kind byte, value []byte) []byte {
	if len(value) > 0xff {
		out = append(out, flags|extendedLength, kind)
		out = binary.BigEndian.AppendUint16(out, uint16(min(len(value), 0xffff))) // What is longer is not sent.
	} else {
		out = append(out, flags, kind, byte(len(value))) //nolint:gosec // At most 255.
	}
	return append(out, value...)
}

func number(value uint32) []byte { return binary.BigEndian.AppendUint32(nil, value) }
