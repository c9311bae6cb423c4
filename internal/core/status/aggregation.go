package status

import (
	"fmt"
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// wider has a text for each prefix of an advertisement that has addresses outside of the pools that it selects. It is announced all the same: the
// network may have given all of it to the cluster, of which only a part is in pools. But a length with a digit too few draws what is others'.
func (r *References) wider(a *lb.BGPAdvertisement) []string {
	aggregates := func(family lb.Family, bits int) bool { return a.Length(family) > 0 && a.Length(family) < bits }
	if !aggregates(lb.IPv4, 32) && !aggregates(lb.IPv6, 128) {
		return nil
	}
	var ranges []lb.Range
	for _, pool := range r.objects.Pools.ByAge() {
		if a.MatchesPool(pool) {
			ranges = append(ranges, pool.Ranges...)
		}
	}
	ranges = lb.Merge(ranges)
	var texts []string
	var seen netip.Prefix
	for _, of := range ranges {
		// Those between the first and the last prefix of a range are part of it.
		for _, addr := range []netip.Addr{of.From, of.To} {
			prefix, err := addr.Prefix(a.Length(lb.FamilyOf(addr)))
			if err != nil || prefix == seen || prefix.IsSingleIP() {
				continue
			}
			if seen = prefix; len(lb.Subtract([]lb.Range{lb.RangeOf(prefix)}, ranges)) > 0 {
				texts = append(texts, prefix.String())
			}
		}
	}
	return texts
}

// saidOfWider says which prefixes are wider than the pools; "" for none.
func saidOfWider(prefixes []string) string {
	if len(prefixes) == 0 {
		return ""
	}
	return fmt.Sprintf("announced in whole, though the pools have a part of it only: %s", list(len(prefixes), func(i int) string { return prefixes[i] }, ", "))
}
