package lb

import (
	"cmp"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"
)

// Range is a block of addresses of one family; both ends belong to it.
type Range struct{ From, To netip.Addr }

// ParseRange parses a CIDR prefix, a range a-b, or a single address. A prefix with bits set after its length means the whole
// block.
func ParseRange(text string) (Range, error) {
	text = strings.TrimSpace(text)
	if from, to, ok := strings.Cut(text, "-"); ok {
		return parseEnds(text, from, to)
	}
	if strings.Contains(text, "/") {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return Range{}, fmt.Errorf("%s is not a CIDR prefix", quote(text))
		}
		return RangeOf(prefix), nil
	}
	addr, err := ParseAddr(text)
	if err != nil {
		return Range{}, fmt.Errorf("%s is not a CIDR prefix, a range a-b or an address", quote(text))
	}
	return Range{addr, addr}, nil
}

func parseEnds(text, from, to string) (Range, error) {
	first, err := ParseAddr(from)
	if err != nil {
		return Range{}, fmt.Errorf("range %s begins with something that is not an address", quote(text))
	}
	last, err := ParseAddr(to)
	if err != nil {
		return Range{}, fmt.Errorf("range %s ends with something that is not an address", quote(text))
	}
	switch {
	case first.Is4() != last.Is4():
		return Range{}, fmt.Errorf("range %s begins in one family and ends in the other", quote(text))
	case last.Less(first):
		return Range{}, fmt.Errorf("range %s ends before it begins", quote(text))
	}
	return Range{first, last}, nil
}

// ParseAddr parses an address without a zone. An IPv4 address mapped into IPv6 becomes IPv4.
func ParseAddr(text string) (netip.Addr, error) {
	text = strings.TrimSpace(text)
	addr, err := netip.ParseAddr(text[:min(len(text), MaxAddressBytes+1)])
	if err != nil || len(text) > MaxAddressBytes {
		return netip.Addr{}, fmt.Errorf("%s is not an address", quote(text))
	}
	if addr.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%s has a zone, which means nothing outside one node", quote(text))
	}
	return addr.Unmap(), nil
}

// RangeOf returns the addresses of a prefix. One of IPv4 addresses mapped into IPv6, which have 96 bits before them (RFC 4291
// section 2.5.5.2), becomes IPv4.
func RangeOf(prefix netip.Prefix) Range {
	const mapping = 96
	if prefix.Addr().Is4In6() && prefix.Bits() >= mapping {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapping)
	}
	r := netipx.RangeOfPrefix(prefix)
	return Range{r.From(), r.To()}
}

// Contains reports whether an address belongs to the range.
func (r Range) Contains(addr netip.Addr) bool {
	return addr.Is4() == r.From.Is4() && !addr.Less(r.From) && !r.To.Less(addr)
}

// Overlaps reports whether two ranges have an address in common.
func (r Range) Overlaps(other Range) bool {
	return r.From.Is4() == other.From.Is4() && !r.To.Less(other.From) && !other.To.Less(r.From)
}

// String returns the range as a prefix or an address if it is one, else as a-b.
func (r Range) String() string {
	if r.From == r.To {
		return r.From.String()
	}
	if prefix, ok := netipx.IPRangeFrom(r.From, r.To).Prefix(); ok {
		return prefix.String()
	}
	return r.From.String() + "-" + r.To.String()
}

// Merge returns the ranges sorted, IPv4 first, with those joined that overlap or touch.
func Merge(ranges []Range) []Range {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b Range) int {
		return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To))
	})
	var merged []Range
	for _, r := range sorted {
		if n := len(merged); n > 0 && merged[n-1].From.Is4() == r.From.Is4() {
			last := &merged[n-1]
			if !last.To.Less(r.From) || last.To.Next() == r.From {
				if last.To.Less(r.To) {
					last.To = r.To
				}
				continue
			}
		}
		merged = append(merged, r)
	}
	return merged
}

// Subtract returns the addresses of the first list that are not in the second. Both are merged lists, and so is the result.
func Subtract(ranges, holes []Range) []Range {
	if len(holes) == 0 {
		return ranges
	}
	var rest []Range
	for _, r := range ranges {
		rest = appendRest(rest, r, holes[firstEndingFrom(holes, r.From):])
	}
	return rest
}

// appendRest appends the parts of a range that are in no hole. The first hole is the first one that may touch the range.
func appendRest(rest []Range, r Range, holes []Range) []Range {
	for _, hole := range holes {
		if !r.Overlaps(hole) {
			break
		}
		if r.From.Less(hole.From) {
			rest = append(rest, Range{r.From, hole.From.Prev()})
		}
		if !hole.To.Less(r.To) {
			return rest
		}
		r.From = hole.To.Next()
	}
	return append(rest, r)
}

// Intersect returns the addresses that are in both merged lists, as a merged list.
func Intersect(ranges, others []Range) []Range {
	var common []Range
	for _, r := range ranges {
		for _, other := range others[firstEndingFrom(others, r.From):] {
			if !r.Overlaps(other) {
				break
			}
			both := r
			if both.From.Less(other.From) {
				both.From = other.From
			}
			if other.To.Less(both.To) {
				both.To = other.To
			}
			common = append(common, both)
		}
	}
	return common
}

// firstEndingFrom returns the place of the first range of a merged list that does not end before an address.
func firstEndingFrom(ranges []Range, addr netip.Addr) int {
	i, _ := slices.BinarySearchFunc(ranges, addr, func(r Range, addr netip.Addr) int { return r.To.Compare(addr) })
	return i
}

// Containing returns the place of the range of a merged list that contains an address, in logarithmic time; -1 when none
// does.
func Containing(ranges []Range, addr netip.Addr) int {
	i := firstEndingFrom(ranges, addr)
	if i < len(ranges) && ranges[i].Contains(addr) {
		return i
	}
	return -1
}

// Size returns the number of addresses in ranges that do not overlap. No integer type has room for that of an IPv6 prefix.
func Size(ranges []Range) *big.Int {
	total := new(big.Int)
	var from, size big.Int
	for _, r := range ranges {
		size.SetBytes(r.To.AsSlice())
		total.Add(total, size.Sub(&size, from.SetBytes(r.From.AsSlice())))
	}
	return total.Add(total, big.NewInt(int64(len(ranges))))
}
