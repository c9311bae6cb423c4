package announce

import "iter"

// set is a set of advertisements by their places in rules.l2 or rules.bgp, in ascending order, which is their order of
// age. It is a string of two bytes a place: it can be the key of a map, which a slice cannot, it never changes, and it
// has no limit that a word of bits would have.
type set string

// all places in order.
func (s set) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < len(s); i += 2 {
			if !yield(int(s[i])<<8 | int(s[i+1])) {
				return
			}
		}
	}
}

// has reports whether a place is in the set.
func (s set) has(place int) bool {
	for known := range s.all() {
		if known == place {
			return true
		}
	}
	return false
}

// with is the set and one more place.
func (s set) with(place int) set {
	for i := 0; i < len(s); i += 2 {
		switch known := int(s[i])<<8 | int(s[i+1]); {
		case known == place:
			return s
		case known > place:
			return s[:i] + single(place) + s[i:]
		}
	}
	return s + single(place)
}

// union of two sets.
func (s set) union(other set) set {
	for place := range other.all() {
		s = s.with(place)
	}
	return s
}

// where keeps the places for which wanted is true.
func (s set) where(wanted func(place int) bool) set {
	kept := s
	for i := len(s) - 2; i >= 0; i -= 2 {
		if !wanted(int(s[i])<<8 | int(s[i+1])) {
			kept = kept[:i] + kept[i+2:]
		}
	}
	return kept
}

func single(place int) set { return set([]byte{byte(place >> 8), byte(place)}) } //nolint:gosec // the two bytes of it
