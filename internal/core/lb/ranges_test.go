package lb

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// smallRanges draws a merged list within sixteen addresses. Four of them are IPv6, and one is the last IPv4 address.
func smallRanges(t *rapid.T, label string) []Range {
	space := smallAddressSpace()
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

func smallAddressSpace() []netip.Addr {
	var space []netip.Addr
	for addr := netip.MustParseAddr("255.255.255.244"); addr.IsValid(); addr = addr.Next() {
		space = append(space, addr)
	}
	for addr := netip.MustParseAddr("2001:db8::"); len(space) < 16; addr = addr.Next() {
		space = append(space, addr)
	}
	return space
}

func TestRange_OperationsAreThoseOfSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := smallRanges(t, "a"), smallRanges(t, "b")
		rest, common := Subtract(a, b), Intersect(a, b)
		var size int64
		for _, addr := range smallAddressSpace() {
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

func TestSize_MayBeLargerThanAnyInteger(t *testing.T) {
	all, err := ParseRange("::/0")
	if err != nil {
		t.Fatal(err)
	}
	if got := Size([]Range{all}).String(); got != "340282366920938463463374607431768211456" {
		t.Errorf("::/0 has %s addresses", got)
	}
}
