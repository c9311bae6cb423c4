package bgp

import (
	"fmt"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// maxSegmentLength is how many AS numbers a segment of an AS path holds at most (RFC 4271 section 4.3).
const maxSegmentLength = 255

// encoder encodes path attributes for one router.
type encoder struct {
	internal   bool
	asn        uint32
	fourOctets bool
}

func newEncoder(s *settings, agreed *negotiated) *encoder {
	return &encoder{internal: s.internal(), asn: s.asn(), fourOctets: agreed.fourOctets}
}

// attributes encodes the path attributes of RFC 4271 section 5.1, RFC 1997, RFC 4360 and RFC 8092, sorted by type, for prefixes with a
// next hop. An IPv6 next hop is left out: it belongs into MP_REACH_NLRI. LOCAL_PREF is for internal routers only. Our AS
// number is for external routers only: an internal one would see a loop.
func (e *encoder) attributes(from *announce.Attributes, next nextHop) ([]byte, error) {
	list := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(bgp.BGP_ORIGIN_ATTR_TYPE_IGP), e.path(from.Prepend)}
	if next.is4() {
		attribute, err := bgp.NewPathAttributeNextHop(next.addr)
		if err != nil {
			return nil, fmt.Errorf("next hop %s: %w", next.addr, err)
		}
		list = append(list, attribute)
	}
	if from.MED != nil {
		list = append(list, bgp.NewPathAttributeMultiExitDisc(*from.MED))
	}
	if e.internal {
		preference := uint32(announce.DefaultLocalPref)
		if from.LocalPref != nil {
			preference = *from.LocalPref
		}
		list = append(list, bgp.NewPathAttributeLocalPref(preference))
	}
	standard, extended, large, err := communities(from.Communities)
	if err != nil {
		return nil, err
	}
	if len(standard) > 0 {
		list = append(list, bgp.NewPathAttributeCommunities(standard))
	}
	if len(extended) > 0 {
		list = append(list, bgp.NewPathAttributeExtendedCommunities(extended))
	}
	if !e.internal && !e.fourOctets && e.asn > 0xffff {
		list = append(list, bgp.NewPathAttributeAs4Path(e.segments(from.Prepend)))
	}
	if len(large) > 0 {
		list = append(list, bgp.NewPathAttributeLargeCommunities(large))
	}
	var encoded []byte
	for _, attribute := range list {
		bytes, err := attribute.Serialize()
		if err != nil {
			return nil, fmt.Errorf("encode attribute %s: %w", attribute.GetType(), err)
		}
		encoded = append(encoded, bytes...)
	}
	return encoded, nil
}

// path is the AS_PATH: empty for internal routers; for external ones our AS number, once and prepend times more. A localASN
// replaces our AS number, as with FRR's "local-as N no-prepend replace-as".
func (e *encoder) path(prepend int) *bgp.PathAttributeAsPath {
	var segments []bgp.AsPathParamInterface
	if e.internal {
		return bgp.NewPathAttributeAsPath(segments)
	}
	for _, wide := range e.segments(prepend) {
		if e.fourOctets {
			segments = append(segments, wide)
			continue
		}
		// AS_TRANS stands for a number that does not fit into two octets; AS4_PATH has the number (RFC 6793 section 4.2.2).
		number := uint16(bgp.AS_TRANS)
		if e.asn <= 0xffff {
			number = uint16(e.asn)
		}
		numbers := slices.Repeat([]uint16{number}, len(wide.AS))
		segments = append(segments, bgp.NewAsPathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, numbers))
	}
	return bgp.NewPathAttributeAsPath(segments)
}

// segments are those of the AS path of an external router, with numbers of four octets.
func (e *encoder) segments(prepend int) (list []*bgp.As4PathParam) {
	for part := range slices.Chunk(slices.Repeat([]uint32{e.asn}, 1+prepend), maxSegmentLength) {
		list = append(list, bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, part))
	}
	return list
}

// communities separates standard communities (RFC 1997), extended (RFC 4360) and large ones (RFC 8092).
func communities(from []lb.Community) (standard []uint32, extended []bgp.ExtendedCommunityInterface, large []*bgp.LargeCommunity, err error) {
	for _, c := range from {
		switch c.Kind {
		case lb.LargeCommunity:
			large = append(large, bgp.NewLargeCommunity(c.Parts[0], c.Parts[1], c.Parts[2]))
		case lb.ExtendedCommunity:
			octets := c.Octets()
			parsed, err := bgp.ParseExtended(octets[:])
			if err != nil {
				return nil, nil, nil, fmt.Errorf("community %s: %w", c, err)
			}
			extended = append(extended, parsed)
		default:
			standard = append(standard, c.Value())
		}
	}
	return standard, extended, large, nil
}
