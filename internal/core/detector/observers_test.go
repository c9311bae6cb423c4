package detector

import (
	"slices"
	"strings"
	"testing"
)

func TestObservers_AreFewAndTheSameToAll(t *testing.T) {
	for _, size := range []int{1, 2, 8, 9, 10, 11, 50, 200} {
		var candidates []member
		for name := range strings.FieldsSeq(names(size)) {
			candidates = append(candidates, newMember(name))
		}
		outside := newMember("outside")
		load := map[string]int{}
		for _, each := range append(slices.Clone(candidates), outside) {
			chosen := observersOf(each, candidates)
			others := size - 1
			if each == outside {
				others = size
			}
			if want := others; want <= maxFullMesh && len(chosen) != want || want > maxFullMesh && len(chosen) != observersEach {
				t.Errorf("of %d, %s has %d observers", size, each.name, len(chosen))
			}
			for _, candidate := range candidates {
				if got, want := isObserver(candidate, each, candidates), slices.Contains(chosen, candidate.name); got != want {
					t.Errorf("of %d, that %s observes %s: %v and %v", size, candidate.name, each.name, got, want)
				}
			}
			for _, observer := range chosen {
				load[observer]++
			}
		}
		for name, n := range load {
			if n > 20 {
				t.Errorf("of %d, %s observes %d", size, name, n)
			}
		}
	}
}
