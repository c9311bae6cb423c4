package forecast

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// reportedTables are tables of the shared addresses that give each node as many shares as it reports. Which ones, no report says, and the numbers
// that tables come to do not depend on it. If reports do not add up, since some are older than others or have no room for the address, they
// are guessed: the nodes that report shares have equal ones.
func reportedTables(speakers []*v1beta1.Speaker) (tables map[netip.Addr]shares.Table, guessed map[netip.Addr]bool) {
	counts := map[netip.Addr]map[string]int{}
	for _, speaker := range speakers {
		if lb.SpeakerGone(speaker) {
			continue
		}
		for _, held := range speaker.Status.Layer2.Held {
			addr, err := lb.ParseAddr(held.Address)
			if err != nil || held.Shares == 0 && held.SharedBy == "" {
				continue
			}
			if counts[addr] == nil {
				counts[addr] = map[string]int{}
			}
			if held.Shares > 0 {
				counts[addr][speaker.Name] = int(min(held.Shares, shares.Count))
			}
		}
	}
	tables, guessed = map[netip.Addr]shares.Table{}, map[netip.Addr]bool{}
	// order does not matter: each address has a table of its own
	for addr, byNode := range counts {
		var of []byte
		servers := slices.Sorted(maps.Keys(byNode))
		for i, server := range servers {
			of = append(of, slices.Repeat([]byte{byte(i)}, byNode[server])...)
		}
		table, ok := shares.Make(servers, of)
		if !ok {
			table, guessed[addr] = shares.Divide(shares.Table{}, servers), true
		}
		tables[addr] = table
	}
	return tables, guessed
}
