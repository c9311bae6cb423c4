package lb

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The types and sub-types of extended communities (RFC 4360, RFC 5668, IANA's registry).
const (
	extendedAS2, extendedIPv4, extendedAS4 = 0x00, 0x01, 0x02
	// nonTransitive is the bit of a type that routers do not pass on to another AS.
	nonTransitive                                  = 0x40
	subtypeTarget, subtypeOrigin, subtypeBandwidth = 0x02, 0x03, 0x04
)

// extendedNames are the sub-types by the names that users write. String uses the first of each.
var extendedNames = []struct {
	name    string
	subtype byte
}{{"rt", subtypeTarget}, {"soo", subtypeOrigin}, {"target", subtypeTarget}, {"origin", subtypeOrigin}}

// parseExtended parses an extended community, of which kind stands before the first colon and rest after it: a route target
// (rt:64512:100, or target: as others write it), a site of origin (soo:64512:100, or origin:), each of an AS number or an IPv4
// address and a number; or the bandwidth of a link in octets a second (bandwidth:64512:125000000), which is not transitive.
// A number after an AS number of 16 bits has 32 bits, any other 16.
func parseExtended(text, kind, rest string) (Community, error) {
	administrator, number, found := strings.Cut(rest, ":")
	if !found {
		return Community{}, fmt.Errorf("%s is no community: an extended one is written as rt:64512:100", quote(text))
	}
	if kind == "bandwidth" {
		return parseBandwidth(text, administrator, number)
	}
	for _, known := range extendedNames {
		if known.name == kind {
			return parseAdministered(text, known.subtype, administrator, number)
		}
	}
	return Community{}, fmt.Errorf("%s is no community: %s is none of large, rt, target, soo, origin and bandwidth", quote(text), quote(kind))
}

func parseAdministered(text string, subtype byte, administrator, number string) (Community, error) {
	octets := [8]byte{extendedAS2, subtype}
	bits := 32
	if addr, err := netip.ParseAddr(administrator); err == nil && addr.Is4() {
		octets[0], bits = extendedIPv4, 16
		copy(octets[2:], addr.AsSlice())
	} else {
		asn, err := communityNumber(text, administrator, 32)
		if err != nil {
			return Community{}, err
		}
		if asn > math.MaxUint16 {
			octets[0], bits = extendedAS4, 16
			binary.BigEndian.PutUint32(octets[2:], asn)
		} else {
			binary.BigEndian.PutUint16(octets[2:], uint16(asn))
		}
	}
	value, err := communityNumber(text, number, bits)
	if err != nil {
		return Community{}, err
	}
	if bits == 16 {
		binary.BigEndian.PutUint16(octets[6:], uint16(value)) //nolint:gosec // parsed within 16 bits
	} else {
		binary.BigEndian.PutUint32(octets[4:], value)
	}
	return extended(octets), nil
}

// parseBandwidth parses a link bandwidth (RFC 10005): an AS number of 16 bits and a float of 32.
func parseBandwidth(text, administrator, number string) (Community, error) {
	asn, err := communityNumber(text, administrator, 16)
	if err != nil {
		return Community{}, err
	}
	rate, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return Community{}, fmt.Errorf("%s is no community: %s is not a number of octets a second", quote(text), quote(number))
	}
	return linkBandwidth(asn, rate), nil
}

// asTrans stands for an AS number that has more than 16 bits (RFC 6793).
const asTrans = 23456

// LinkBandwidth is the link bandwidth of a path with a weight, from an AS (RFC 10005).
func LinkBandwidth(asn uint32, weight Weight) Community {
	if asn > math.MaxUint16 {
		asn = asTrans
	}
	return linkBandwidth(asn, uint64(weight))
}

func linkBandwidth(asn uint32, rate uint64) Community {
	octets := [8]byte{nonTransitive | extendedAS2, subtypeBandwidth}
	binary.BigEndian.PutUint16(octets[2:], uint16(asn)) //nolint:gosec // 16 bits, as the callers see to
	binary.BigEndian.PutUint32(octets[4:], math.Float32bits(float32(rate)))
	return extended(octets)
}

// IsLinkBandwidth reports whether a community is one.
func (c Community) IsLinkBandwidth() bool {
	return c.Kind == ExtendedCommunity && c.Octets()[1] == subtypeBandwidth
}

// linkBandwidthAmong some communities is the first one.
func linkBandwidthAmong(communities []Community) (community Community, is bool) {
	at := slices.IndexFunc(communities, Community.IsLinkBandwidth)
	if at < 0 {
		return Community{}, false
	}
	return communities[at], true
}

func extended(octets [8]byte) Community {
	return Community{ExtendedCommunity, [3]uint32{0, binary.BigEndian.Uint32(octets[:]), binary.BigEndian.Uint32(octets[4:])}}
}

// Octets are those of an extended community as they are sent.
func (c Community) Octets() (octets [8]byte) {
	binary.BigEndian.PutUint32(octets[:], c.Parts[1])
	binary.BigEndian.PutUint32(octets[4:], c.Parts[2])
	return octets
}

func (c Community) extendedText() string {
	octets := c.Octets()
	two, four := binary.BigEndian.Uint16(octets[2:]), binary.BigEndian.Uint32(octets[2:])
	last := binary.BigEndian.Uint16(octets[6:])
	if octets[1] == subtypeBandwidth {
		return fmt.Sprintf("bandwidth:%d:%.0f", two, math.Float32frombits(c.Parts[2]))
	}
	name := extendedNames[0].name
	if octets[1] == subtypeOrigin {
		name = extendedNames[1].name
	}
	switch octets[0] {
	case extendedIPv4:
		return fmt.Sprintf("%s:%s:%d", name, netip.AddrFrom4([4]byte(octets[2:6])), last)
	case extendedAS4:
		return fmt.Sprintf("%s:%d:%d", name, four, last)
	default:
		return fmt.Sprintf("%s:%d:%d", name, two, c.Parts[2])
	}
}
