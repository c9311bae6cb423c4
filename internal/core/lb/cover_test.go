package lb

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestCover(t *testing.T) {
	for _, test := range []struct {
		name      string
		addresses []string
		limit     int
		want      []string
	}{
		{"none", nil, 2, nil},
		{"neighbours are one range", []string{"192.0.2.3", "192.0.2.1", "192.0.2.2"}, 2, []string{"192.0.2.1-192.0.2.3"}},
		{"as many as there is room for are exact", []string{"192.0.2.1", "192.0.2.9"}, 2, []string{"192.0.2.1", "192.0.2.9"}},
		{"of more, the nearest are joined", []string{"192.0.2.1", "192.0.2.9", "192.0.2.12"}, 2, []string{"192.0.2.1", "192.0.2.9-192.0.2.12"}},
		{"families are not", []string{"192.0.2.1", "192.0.2.9", "2001:db8::1", "2001:db8::8:0"}, 2, []string{"192.0.2.1-192.0.2.9", "2001:db8::1-2001:db8::8:0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var addresses []netip.Addr
			for _, text := range test.addresses {
				addresses = append(addresses, netip.MustParseAddr(text))
			}
			if got := Strings(Cover(addresses, test.limit)); !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestCover_LeavesOutNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var addresses []netip.Addr
		for _, n := range rapid.SliceOf(rapid.Uint16()).Draw(t, "addresses") {
			addresses = append(addresses, netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}))
		}
		limit := rapid.IntRange(2, 10).Draw(t, "limit")
		ranges := Cover(addresses, limit)
		if len(ranges) > limit {
			t.Fatalf("%d ranges", len(ranges))
		}
		for _, addr := range addresses {
			if Containing(ranges, addr) < 0 {
				t.Fatalf("%s is not in %v", addr, ranges)
			}
		}
	})
}
