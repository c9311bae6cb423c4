package lb

import (
	"cmp"
	"math/big"
	"net/netip"
	"slices"
)

// Cover returns ranges that contain all of these addresses, as a merged list of at most limit ranges, which must be two at least. Up to that
// number they contain no other address; of more, those with the fewest addresses between them are joined. Families stay apart.
func Cover(addresses []netip.Addr, limit int) []Range {
	ranges := make([]Range, len(addresses))
	for i, addr := range addresses {
		ranges[i] = Range{addr, addr}
	}
	ranges = Merge(ranges)
	if len(ranges) <= limit {
		return ranges
	}
	gaps := gapsOf(ranges)
	join := make(map[int]bool, len(ranges)-limit)
	for _, gap := range gaps[:min(len(gaps), len(ranges)-limit)] {
		join[gap.after] = true
	}
	covering := ranges[:1:1]
	for i, r := range ranges[1:] {
		if join[i] {
			covering[len(covering)-1].To = r.To
		} else {
			covering = append(covering, r)
		}
	}
	return covering
}

// gap is how many addresses there are between a range, by its place, and the next one of its family.
type gap struct {
	after int
	size  *big.Int
}

// gapsOf are the gaps between the ranges of a merged list, the smallest first.
func gapsOf(ranges []Range) []gap {
	var gaps []gap
	for i := range ranges[1:] {
		from, to := ranges[i].To, ranges[i+1].From
		if from.Is4() == to.Is4() {
			size := new(big.Int).SetBytes(to.AsSlice())
			gaps = append(gaps, gap{i, size.Sub(size, new(big.Int).SetBytes(from.AsSlice()))})
		}
	}
	slices.SortFunc(gaps, func(a, b gap) int { return cmp.Or(a.size.Cmp(b.size), cmp.Compare(a.after, b.after)) })
	return gaps
}
