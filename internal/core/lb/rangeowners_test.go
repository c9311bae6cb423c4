package lb

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRangeOwners_FirstClaimantOwnsAnAddress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		claims := make([][]Range, rapid.IntRange(0, 4).Draw(t, "claimants"))
		for i := range claims {
			claims[i] = smallRanges(t, "claim")
		}
		owners := NewRangeOwners(claims)
		shares := owners.Shares(len(claims))
		for _, r := range slices.Concat(shares...) {
			if !r.From.IsValid() || !r.To.IsValid() || r.To.Less(r.From) {
				t.Fatalf("a share has the range %v-%v of %v", r.From, r.To, claims)
			}
		}
		overlaps := map[[2]int]bool{}
		for _, addr := range smallAddressSpace() {
			want := slices.IndexFunc(claims, func(ranges []Range) bool { return Containing(ranges, addr) >= 0 })
			if got := owners.Owner(addr); got != want {
				t.Fatalf("%s belongs to %d, want %d of %v", addr, got, want, claims)
			}
			for i, ranges := range claims {
				if got := Containing(shares[i], addr) >= 0; got != (i == want) {
					t.Fatalf("%s in the share of %d: %v, owner %d", addr, i, got, want)
				}
				for j := i + 1; j < len(claims); j++ {
					if Containing(ranges, addr) >= 0 && Containing(claims[j], addr) >= 0 {
						overlaps[[2]int{i, j}] = true
					}
				}
			}
		}
		got := map[[2]int]bool{}
		for _, pair := range owners.Overlaps() {
			got[pair] = true
		}
		if !reflect.DeepEqual(got, overlaps) {
			t.Fatalf("overlaps %v, want %v of %v", got, overlaps, claims)
		}
	})
}
