package reconcile

import (
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// failOvers are the addresses that this node is to answer for from now on because their holder fell silent, and when each holder was
// last heard. Left out are those of holders that this node did not watch, and of those that went on answering though they were silent
// (kept): when they died is not known here.
func failOvers(seen *snapshot, layer2 []announce.Layer2Address, kept silences) map[netip.Addr]time.Time {
	if len(seen.view.Silent) == 0 {
		return nil
	}
	since := map[netip.Addr]time.Time{}
	for i := range layer2 {
		addr := layer2[i].Addr
		holder := seen.view.Claims[addr]
		silent, found := seen.view.Silent[holder.Node]
		if !found || holder.Incarnation != silent.Incarnation || silent.LastHeard.IsZero() {
			continue
		}
		if _, answers := kept[holder.Node]; answers {
			continue
		}
		if _, answered := slices.BinarySearchFunc(seen.answered, addr, netip.Addr.Compare); !answered {
			since[addr] = silent.LastHeard
		}
	}
	return since
}
