package lb

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CommunityKind is the path attribute that a community travels in.
type CommunityKind uint8

// The kinds of communities.
const (
	// StandardCommunity has two numbers of 16 bits (RFC 1997).
	StandardCommunity CommunityKind = iota
	// ExtendedCommunity has eight octets (RFC 4360).
	ExtendedCommunity
	// LargeCommunity has three numbers of 32 bits (RFC 8092).
	LargeCommunity
)

// Community is a BGP community.
type Community struct {
	Kind CommunityKind
	// Parts are the numbers. A standard community has the last two, of 16 bits each; an extended one has its eight octets in the
	// last two, as they are sent.
	Parts [3]uint32
}

// String returns the community as ParseCommunity reads it, which for standard and large ones is how routers write it.
func (c Community) String() string {
	switch c.Kind {
	case LargeCommunity:
		return fmt.Sprintf("%d:%d:%d", c.Parts[0], c.Parts[1], c.Parts[2])
	case ExtendedCommunity:
		return c.extendedText()
	default:
		return fmt.Sprintf("%d:%d", c.Parts[1], c.Parts[2])
	}
}

// Value returns the four octets of a standard community as a number.
func (c Community) Value() uint32 { return c.Parts[1]<<16 | c.Parts[2] }

// Compare orders communities: the standard ones first, then by their numbers.
func (c Community) Compare(other Community) int {
	return cmp.Or(cmp.Compare(c.Kind, other.Kind), slices.Compare(c.Parts[:], other.Parts[:]))
}

func standard(value uint32) Community {
	return Community{Parts: [3]uint32{0, value >> 16, value & 0xffff}}
}

// wellKnown are the well-known communities by their names in the IANA registry, in lower case and with hyphens. No Community
// object can give these names another meaning.
var wellKnown = map[string]Community{
	"graceful-shutdown":   standard(0xffff0000), // RFC 8326
	"accept-own":          standard(0xffff0001), // RFC 7611
	"llgr-stale":          standard(0xffff0006), // RFC 9494
	"no-llgr":             standard(0xffff0007), // RFC 9494
	"blackhole":           standard(0xffff029a), // RFC 7999
	"no-export":           standard(0xffffff01),
	"no-advertise":        standard(0xffffff02),
	"no-export-subconfed": standard(0xffffff03),
	"local-as":            standard(0xffffff03), // as FRR and Cisco call the one before
	"no-peer":             standard(0xffffff04), // RFC 3765
}

// ParseCommunity parses a standard community (64512:100, or one number of 32 bits), a large one (64512:1:2, or large:64512:1:2
// as MetalLB writes it), an extended one (see parseExtended) or a well-known name.
func ParseCommunity(text string) (Community, error) {
	if known, ok := wellKnown[text]; ok {
		return known, nil
	}
	if kind, rest, found := strings.Cut(text, ":"); found && kind != "" && isLetter(kind[0]) {
		if kind == "large" {
			return parseLarge(text, strings.Split(rest, ":"))
		}
		return parseExtended(text, kind, rest)
	}
	switch numbers := strings.Split(text, ":"); len(numbers) {
	case 1:
		value, err := communityNumber(text, text, 32)
		return standard(value), err
	case 2:
		return parseStandard(text, numbers)
	default:
		return parseLarge(text, numbers)
	}
}

func parseStandard(text string, numbers []string) (Community, error) {
	first, err := communityNumber(text, numbers[0], 16)
	if err != nil {
		return Community{}, err
	}
	second, err := communityNumber(text, numbers[1], 16)
	return Community{Parts: [3]uint32{0, first, second}}, err
}

func parseLarge(text string, numbers []string) (Community, error) {
	community := Community{Kind: LargeCommunity}
	if len(numbers) != len(community.Parts) {
		return Community{}, fmt.Errorf("%s is no community: a large one has three numbers, such as 64512:1:2", quote(text))
	}
	for i, number := range numbers {
		var err error
		if community.Parts[i], err = communityNumber(text, number, 32); err != nil {
			return Community{}, err
		}
	}
	return community, nil
}

// communityNumber parses a number of a community that is written as text.
func communityNumber(text, number string, bits int) (uint32, error) {
	value, err := strconv.ParseUint(number, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s is no community: %s is not a number of %d bits", quote(text), quote(number), bits)
	}
	return uint32(value), nil //nolint:gosec // parsed within 32 bits
}

func isLetter(char byte) bool { return char|0x20 >= 'a' && char|0x20 <= 'z' }
