package lb

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// smallRanges draws a merged list within sixteen addresses, of which four are of the other family and one is the last.
func smallRanges(t *rapid.T, label string) []Range {
	space := smallSpace()
	var ranges []Range
	for range rapid.IntRange(0, 3).Draw(t, label) {
		from := rapid.IntRange(0, len(space)-1).Draw(t, "from")
		to := rapid.IntRange(from, len(space)-1).Draw(t, "to")
		if space[from].Is4() == space[to].Is4() {
			ranges = append(ranges, Range{space[from], space[to]})
		}
	}
	return Merge(ranges)
}

func smallSpace() []netip.Addr {
	var space []netip.Addr
	for addr := netip.MustParseAddr("255.255.255.244"); addr.IsValid(); addr = addr.Next() {
		space = append(space, addr)
	}
	for addr := netip.MustParseAddr("2001:db8::"); len(space) < 16; addr = addr.Next() {
		space = append(space, addr)
	}
	return space
}

func TestRangesAreTheSetsOfTheirAddresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := smallRanges(t, "a"), smallRanges(t, "b")
		rest, common := Subtract(a, b), Intersect(a, b)
		var size int64
		for _, addr := range smallSpace() {
			inA, inB := Containing(a, addr) >= 0, Containing(b, addr) >= 0
			if got := Containing(rest, addr) >= 0; got != (inA && !inB) {
				t.Fatalf("%s in %v without %v: %v", addr, a, b, got)
			}
			if got := Containing(common, addr) >= 0; got != (inA && inB) {
				t.Fatalf("%s in both %v and %v: %v", addr, a, b, got)
			}
			if inA {
				size++
			}
		}
		if got := Size(a).Int64(); got != size {
			t.Fatalf("%v has %d addresses, counted %d", a, size, got)
		}
	})
}

func TestTerritoryGivesEachAddressToItsFirstClaimant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		claims := make([][]Range, rapid.IntRange(0, 4).Draw(t, "claimants"))
		for i := range claims {
			claims[i] = smallRanges(t, "claim")
		}
		territory := NewRangeOwners(claims)
		shares := territory.Shares(len(claims))
		for _, r := range slices.Concat(shares...) {
			if !r.From.IsValid() || !r.To.IsValid() || r.To.Less(r.From) {
				t.Fatalf("a share has the range %v-%v of %v", r.From, r.To, claims)
			}
		}
		rivals := map[[2]int]bool{}
		for _, addr := range smallSpace() {
			want := slices.IndexFunc(claims, func(ranges []Range) bool { return Containing(ranges, addr) >= 0 })
			if got := territory.Owner(addr); got != want {
				t.Fatalf("%s belongs to %d, want %d of %v", addr, got, want, claims)
			}
			for i, ranges := range claims {
				if got := Containing(shares[i], addr) >= 0; got != (i == want) {
					t.Fatalf("%s in the share of %d: %v, owner %d", addr, i, got, want)
				}
				for j := i + 1; j < len(claims); j++ {
					if Containing(ranges, addr) >= 0 && Containing(claims[j], addr) >= 0 {
						rivals[[2]int{i, j}] = true
					}
				}
			}
		}
		got := map[[2]int]bool{}
		for _, pair := range territory.Overlaps() {
			got[pair] = true
		}
		if !reflect.DeepEqual(got, rivals) {
			t.Fatalf("rivals %v, want %v of %v", got, rivals, claims)
		}
	})
}

func TestASizeMayBeLargerThanAnyInteger(t *testing.T) {
	all, err := ParseRange("::/0")
	if err != nil {
		t.Fatal(err)
	}
	if got := Size([]Range{all}).String(); got != "340282366920938463463374607431768211456" {
		t.Errorf("::/0 has %s addresses", got)
	}
}
