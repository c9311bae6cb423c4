package status

import (
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestReferences_PrefixesThatAreWiderThanThePools(t *testing.T) {
	rangeOf := func(prefix string) lb.Range { return lb.RangeOf(netip.MustParsePrefix(prefix)) }
	pool := func(name string, prefixes ...string) *lb.Pool {
		p := &lb.Pool{Name: name}
		for _, prefix := range prefixes {
			p.Ranges = append(p.Ranges, rangeOf(prefix))
		}
		return p
	}
	pools := lb.NewPools([]*lb.Pool{
		pool("a", "198.51.100.0/24", "203.0.113.64/26"), pool("halves", "198.18.0.0/25", "198.18.0.128/25"),
		{Name: "odd", Ranges: []lb.Range{{From: netip.MustParseAddr("198.19.0.7"), To: netip.MustParseAddr("198.19.2.7")}}},
		pool("six", "2001:db8::/112"),
	})
	references := &References{
		objects: &cluster.Objects{Pools: pools}, known: lb.NewKnown(pools, nil, nil, nil, true),
	}
	const begins = "announced in whole, though the pools have a part of it only: "
	for _, test := range []struct {
		pool         string
		ipv4, ipv6   int
		wider, about string
	}{
		{"a", 32, 128, "", "no aggregates"},
		{"a", 26, 128, "", "a length that fits"},
		{"a", 24, 128, "203.0.113.0/24", "one of two ranges"},
		{"a", 2, 128, "192.0.0.0/2", "a digit too few"},
		{"halves", 24, 128, "", "ranges that make the prefix together"},
		{"odd", 24, 128, "198.19.0.0/24, 198.19.2.0/24", "a range that does not begin or end with a prefix"},
		{"six", 32, 112, "", "IPv6 that fits"},
		{"six", 24, 64, "2001:db8::/64", "IPv6"},
	} {
		a := &lb.BGPAdvertisement{Advertisement: lb.Advertisement{Pools: []string{test.pool}}, AggregationLength: test.ipv4, AggregationLengthV6: test.ipv6}
		want, why := test.wider, Valid
		if want != "" {
			want, why = begins+want, WiderThanPools
		}
		if got := references.BGPAdvertisement(a, ""); !got.True || got.Reason.Name != why.Name || got.Message != want {
			t.Errorf("%s: %t %s: %s", test.about, got.True, got.Reason.Name, got.Message)
		}
		if want != "" {
			want = "med of old; " + want
			if got := references.BGPAdvertisement(a, "med of old"); !got.True || got.Reason.Name != Overridden.Name || got.Message != want {
				t.Errorf("%s: %t %s: %s", test.about, got.True, got.Reason.Name, got.Message)
			}
		}
	}
}
