package lb

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Community is a BGP community: a standard one (RFC 1997) of two numbers, or a large one (RFC 8092) of three.
type Community struct {
	Large bool
	// Parts are the numbers. A standard community has the last two, of 16 bits each.
	Parts [3]uint32
}

// String returns the community as routers write it.
func (c Community) String() string {
	if c.Large {
		return fmt.Sprintf("%d:%d:%d", c.Parts[0], c.Parts[1], c.Parts[2])
	}
	return fmt.Sprintf("%d:%d", c.Parts[1], c.Parts[2])
}

// Value returns the four octets of a standard community as a number.
func (c Community) Value() uint32 { return c.Parts[1]<<16 | c.Parts[2] }

// Compare orders communities: the standard ones first, then by their numbers.
func (c Community) Compare(other Community) int {
	if c.Large != other.Large {
		if c.Large {
			return 1
		}
		return -1
	}
	return slices.Compare(c.Parts[:], other.Parts[:])
}

// wellKnown are the well-known communities by their names in the IANA registry.
var wellKnown = map[string]Community{
	"graceful-shutdown":   {Parts: [3]uint32{0, 0xffff, 0}},   // RFC 8326
	"accept-own":          {Parts: [3]uint32{0, 0xffff, 1}},   // RFC 7611
	"blackhole":           {Parts: [3]uint32{0, 0xffff, 666}}, // RFC 7999
	"no-export":           {Parts: [3]uint32{0, 0xffff, 0xff01}},
	"no-advertise":        {Parts: [3]uint32{0, 0xffff, 0xff02}},
	"no-export-subconfed": {Parts: [3]uint32{0, 0xffff, 0xff03}},
	"no-peer":             {Parts: [3]uint32{0, 0xffff, 0xff04}}, // RFC 3765
}

// ParseCommunity parses 64512:100, 64512:1:2 or a well-known name.
func ParseCommunity(text string) (Community, error) {
	if known, ok := wellKnown[text]; ok {
		return known, nil
	}
	numbers := strings.Split(text, ":")
	if len(numbers) != 2 && len(numbers) != 3 {
		return Community{}, fmt.Errorf("%s is not a community such as 64512:100 or 64512:1:2, nor a name that is known", quote(text))
	}
	bits := 32
	if len(numbers) == 2 {
		bits = 16
	}
	community := Community{Large: len(numbers) == 3}
	for i, number := range numbers {
		value, err := strconv.ParseUint(number, 10, bits)
		if err != nil {
			return Community{}, fmt.Errorf("%s is not a community: %s is not a number of %d bits", quote(text), quote(number), bits)
		}
		community.Parts[3-len(numbers)+i] = uint32(value) //nolint:gosec // parsed within 32 bits
	}
	return community, nil
}

// Aliases are the communities by the names that Community objects give them.
type Aliases map[string]Community

// AddAliases adds the names of a Community object. A name that another object gave before keeps its value. The error names
// each line that is wrong; the others count.
func (a Aliases) AddAliases(from *v1beta1.Community) error {
	var errs []error
	for _, alias := range from.Spec.Communities {
		value, err := ParseCommunity(alias.Value)
		known, taken := a[alias.Name]
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("communities: %s: %w", alias.Name, err))
		case taken && known != value:
			errs = append(errs, fmt.Errorf("communities: the name %s stands for %s already", alias.Name, known))
		default:
			a[alias.Name] = value
		}
	}
	return errors.Join(errs...)
}

// Resolve returns the values of communities that an advertisement names, sorted and without duplicates. The error names
// those that are unknown; they are left out.
func (a Aliases) Resolve(texts []string) ([]Community, error) {
	var values []Community
	var unknown []string
	for _, text := range texts {
		value, ok := a[text]
		if !ok {
			var err error
			if value, err = ParseCommunity(text); err != nil {
				unknown = append(unknown, text)
				continue
			}
		}
		values = append(values, value)
	}
	slices.SortFunc(values, Community.Compare)
	values = slices.Compact(values)
	if len(unknown) > 0 {
		return values, fmt.Errorf("communities that are neither numbers nor names of a Community object: %s",
			strings.Join(unknown, ", "))
	}
	return values, nil
}
