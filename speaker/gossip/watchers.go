package gossip

import (
	"cmp"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

const (
	// everybody is the number of others up to which every speaker watches every other.
	everybody = 8
	// watchersEach is how many watch a speaker in larger clusters.
	watchersEach = 5
)

// soul is a live speaker with the hash of its name.
type soul struct {
	node string
	hash uint64
}

// watchersOf are those who watch a node: everybody else in small clusters, in larger ones the few with the highest
// score for it. All who know the same speakers choose alike, and when one comes or goes only its own places change hands.
func watchersOf(node soul, live []soul) []string {
	var chosen []soul
	few := len(live) <= everybody || len(live) == everybody+1 && contains(live, node.node)
	for _, candidate := range live {
		if candidate.node == node.node {
			continue
		}
		place := len(chosen)
		for !few && place > 0 && before(node, candidate, chosen[place-1]) {
			place--
		}
		if few || place < watchersEach {
			chosen = append(chosen, soul{})
			copy(chosen[place+1:], chosen[place:])
			chosen[place] = candidate
		}
		if !few {
			chosen = chosen[:min(len(chosen), watchersEach)]
		}
	}
	nodes := make([]string, len(chosen))
	for i, each := range chosen {
		nodes[i] = each.node
	}
	return nodes
}

// watches reports whether one of the live is among the watchers of a node. It looks no further than it must.
func watches(self, node soul, live []soul) bool {
	if self.node == node.node {
		return false
	}
	if len(live) <= everybody || len(live) == everybody+1 && contains(live, node.node) {
		return true
	}
	better := 0
	for _, candidate := range live {
		if candidate.node == node.node || candidate.node == self.node {
			continue
		}
		if before(node, candidate, self) {
			if better++; better == watchersEach {
				return false
			}
		}
	}
	return true
}

func contains(live []soul, node string) bool {
	for _, each := range live {
		if each.node == node {
			return true
		}
	}
	return false
}

// before orders two watchers of a node.
func before(node, a, b soul) bool {
	return cmp.Or(cmp.Compare(score(node, b), score(node, a)), cmp.Compare(a.node, b.node)) < 0
}

// score is that of rendezvous hashing.
func score(node, watcher soul) uint64 {
	return rendezvous.Mix(rendezvous.Mix(node.hash) ^ watcher.hash)
}
