package lb

import (
	"cmp"
	"net/netip"
	"slices"
)

// RangeOwners says which claimant owns an address. When several claim the same address, the one with the lowest number owns
// it.
type RangeOwners struct {
	// ranges are in order of address and do not overlap.
	ranges []ownedRange
	// overlaps are the pairs of claimants that both claim an address, the lower number first, each pair once, sorted.
	overlaps [][2]int
}

// ownedRange is a range with its owner.
type ownedRange struct {
	Range
	owner int
}

// NewRangeOwners finds the owner of every address. Each claim is a merged list of ranges. The claims are in order of
// precedence.
func NewRangeOwners(claims [][]Range) *RangeOwners {
	o := &RangeOwners{}
	var from netip.Addr // the first address after the last boundary
	var active []int    // the claimants of from, sorted; seldom more than one
	for _, b := range boundaries(claims) {
		if b.ends {
			o.add(from, b.addr, active)
			from = b.addr.Next()
			active = slices.DeleteFunc(active, func(claimant int) bool { return claimant == b.claimant })
			continue
		}
		if len(active) > 0 && from.Less(b.addr) {
			o.add(from, b.addr.Prev(), active)
		}
		from = b.addr
		i, _ := slices.BinarySearch(active, b.claimant)
		active = slices.Insert(active, i, b.claimant)
		o.addOverlaps(b.claimant, active)
	}
	slices.SortFunc(o.overlaps, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	o.overlaps = slices.Compact(o.overlaps)
	return o
}

// boundary is the first or last address of a claimed range.
type boundary struct {
	addr     netip.Addr
	ends     bool
	claimant int
}

func boundaries(claims [][]Range) []boundary {
	var all []boundary
	for claimant, ranges := range claims {
		for _, r := range ranges {
			all = append(all, boundary{r.From, false, claimant}, boundary{r.To, true, claimant})
		}
	}
	slices.SortFunc(all, func(a, b boundary) int {
		return cmp.Or(a.addr.Compare(b.addr), boolCompare(a.ends, b.ends), cmp.Compare(a.claimant, b.claimant))
	})
	return all
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// add appends a range for the first of its claimants. The range may be empty, since two ranges may end at one address.
func (o *RangeOwners) add(from, to netip.Addr, active []int) {
	if !from.IsValid() || to.Less(from) {
		return
	}
	if n := len(o.ranges); n > 0 && o.ranges[n-1].owner == active[0] && o.ranges[n-1].To.Next() == from {
		o.ranges[n-1].To = to
		return
	}
	o.ranges = append(o.ranges, ownedRange{Range{from, to}, active[0]})
}

// addOverlaps records that a claimant and all others of a list claim an address.
func (o *RangeOwners) addOverlaps(claimant int, active []int) {
	for _, other := range active {
		if other != claimant {
			o.overlaps = append(o.overlaps, [2]int{min(claimant, other), max(claimant, other)})
		}
	}
}

// Owner returns the owner of an address, in logarithmic time; -1 when nobody claims it.
func (o *RangeOwners) Owner(addr netip.Addr) int {
	i, _ := slices.BinarySearchFunc(o.ranges, addr, func(r ownedRange, addr netip.Addr) int { return r.To.Compare(addr) })
	if i < len(o.ranges) && o.ranges[i].Contains(addr) {
		return o.ranges[i].owner
	}
	return -1
}

// Shares returns the merged list of the ranges that each claimant owns.
func (o *RangeOwners) Shares(claimants int) [][]Range {
	shares := make([][]Range, claimants)
	for _, r := range o.ranges {
		shares[r.owner] = append(shares[r.owner], r.Range)
	}
	return shares
}

// Overlaps returns the pairs of claimants that both claim an address, the owner first.
func (o *RangeOwners) Overlaps() [][2]int { return o.overlaps }
