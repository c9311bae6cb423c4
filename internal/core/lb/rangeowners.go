package lb

import (
	"cmp"
	"net/netip"
	"slices"
)

// RangeOwners says whose every address is where several claim the same: the claimant with the lowest number has it.
type RangeOwners struct {
	// parts do not overlap and are in order of address.
	parts []part
	// rivals are the pairs of claimants that claim an address both, the lower number first, each pair once, sorted.
	rivals [][2]int
}

type part struct {
	Range
	owner int
}

// NewRangeOwners gives each address to the first of its claimants. Claims are merged lists of ranges, in order of precedence.
func NewRangeOwners(claims [][]Range) *RangeOwners {
	t := &RangeOwners{}
	var from netip.Addr // where the part begins that is being looked at
	var active []int    // who claims it, sorted; seldom more than one
	for _, b := range borders(claims) {
		if b.ends {
			t.add(from, b.addr, active)
			from = b.addr.Next()
			active = slices.DeleteFunc(active, func(claimant int) bool { return claimant == b.claimant })
			continue
		}
		if len(active) > 0 && from.Less(b.addr) {
			t.add(from, b.addr.Prev(), active)
		}
		from = b.addr
		i, _ := slices.BinarySearch(active, b.claimant)
		active = slices.Insert(active, i, b.claimant)
		t.meet(b.claimant, active)
	}
	slices.SortFunc(t.rivals, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	t.rivals = slices.Compact(t.rivals)
	return t
}

// border is one end of a claimed range; both ends belong to it.
type border struct {
	addr     netip.Addr
	ends     bool
	claimant int
}

func borders(claims [][]Range) []border {
	var all []border
	for claimant, ranges := range claims {
		for _, r := range ranges {
			all = append(all, border{r.From, false, claimant}, border{r.To, true, claimant})
		}
	}
	slices.SortFunc(all, func(a, b border) int {
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

// add appends a part for the first of its claimants, unless it is empty: two ranges may end at the same address.
func (t *RangeOwners) add(from, to netip.Addr, active []int) {
	if !from.IsValid() || to.Less(from) {
		return
	}
	if n := len(t.parts); n > 0 && t.parts[n-1].owner == active[0] && t.parts[n-1].To.Next() == from {
		t.parts[n-1].To = to
		return
	}
	t.parts = append(t.parts, part{Range{from, to}, active[0]})
}

func (t *RangeOwners) meet(claimant int, active []int) {
	for _, other := range active {
		if other != claimant {
			t.rivals = append(t.rivals, [2]int{min(claimant, other), max(claimant, other)})
		}
	}
}

// Owner finds the claimant that has an address, in logarithmic time; -1 when nobody claims it.
func (t *RangeOwners) Owner(addr netip.Addr) int {
	i, _ := slices.BinarySearchFunc(t.parts, addr, func(p part, addr netip.Addr) int { return p.To.Compare(addr) })
	if i < len(t.parts) && t.parts[i].Contains(addr) {
		return t.parts[i].owner
	}
	return -1
}

// Shares gives each claimant the merged list of the ranges it has.
func (t *RangeOwners) Shares(claimants int) [][]Range {
	shares := make([][]Range, claimants)
	for _, p := range t.parts {
		shares[p.owner] = append(shares[p.owner], p.Range)
	}
	return shares
}

// Overlaps are the pairs of claimants that claim an address both: the one that has it, then the other.
func (t *RangeOwners) Overlaps() [][2]int { return t.rivals }
