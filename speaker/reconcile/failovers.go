package reconcile

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// answerers are the nodes that have answered on the segment at some time since they fell silent in the gossip.
type answerers map[string]bool

// update takes the nodes that are silent, and those of them that answer now.
func (a answerers) update(silent map[string]gossip.Peer, now []election.Silence) {
	maps.DeleteFunc(a, func(node string, _ bool) bool { _, still := silent[node]; return !still })
	for _, silence := range now {
		a[silence.Node] = true
	}
}

// failOvers are the addresses that this node is to answer for from now on because their holder fell silent, and when each holder was
// last heard. Left out are those that nobody has announced yet, those of holders that this node did not watch, and those of holders
// that answered though they were silent: when these died is not known here.
func failOvers(seen *snapshot, layer2 []announce.Layer2Address, answered answerers) map[netip.Addr]time.Time {
	if len(seen.view.Silent) == 0 {
		return nil
	}
	since := map[netip.Addr]time.Time{}
	for i := range layer2 {
		addr := layer2[i].Addr
		holder := seen.view.Claims[addr]
		silent, found := seen.view.Silent[holder.Node]
		if !found || !holder.Announced || holder.Incarnation != silent.Incarnation || silent.LastHeard.IsZero() || answered[holder.Node] {
			continue
		}
		if _, already := slices.BinarySearchFunc(seen.answered, addr, netip.Addr.Compare); !already {
			since[addr] = silent.LastHeard
		}
	}
	return since
}
