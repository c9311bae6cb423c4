package announce

import "iter"

// advertisementSet is a set of advertisements: their indexes in rules.l2 or rules.bgp, ascending, which is by age. It is a
// string with two bytes for each index, so that it can be the key of a map, which a slice cannot, and has no size limit,
// which a bit mask would have. It is immutable.
type advertisementSet string

// all yields the indexes in order.
func (s advertisementSet) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < len(s); i += 2 {
			if !yield(int(s[i])<<8 | int(s[i+1])) {
				return
			}
		}
	}
}

// has reports whether an index is in the set.
func (s advertisementSet) has(index int) bool {
	for known := range s.all() {
		if known == index {
			return true
		}
	}
	return false
}

// with returns the set and one more index.
func (s advertisementSet) with(index int) advertisementSet {
	for i := 0; i < len(s); i += 2 {
		switch known := int(s[i])<<8 | int(s[i+1]); {
		case known == index:
			return s
		case known > index:
			return s[:i] + singleton(index) + s[i:]
		}
	}
	return s + singleton(index)
}

// union of two sets.
func (s advertisementSet) union(other advertisementSet) advertisementSet {
	for index := range other.all() {
		s = s.with(index)
	}
	return s
}

// filter returns the indexes that are wanted.
func (s advertisementSet) filter(wanted func(index int) bool) advertisementSet {
	kept := s
	for i := len(s) - 2; i >= 0; i -= 2 {
		if !wanted(int(s[i])<<8 | int(s[i+1])) {
			kept = kept[:i] + kept[i+2:]
		}
	}
	return kept
}

func singleton(index int) advertisementSet {
	return advertisementSet([]byte{byte(index >> 8), byte(index)}) //nolint:gosec // its two bytes
}
