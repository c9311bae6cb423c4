package reconcile

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// macs are the MAC addresses of the cluster's nodes, by node. Those of a node that is away are kept for as long as it is
// part of the cluster: when it is heard before it has been taken back, it is no stranger.
type macs map[string]map[string]bool

// learn adds what is known now, forgets nodes that are gone, and returns all, sorted.
func (m macs) learn(now *cluster) []string {
	for node := range m {
		if _, expected := now.speakers[node]; !expected && now.node(node) == nil {
			delete(m, node)
		}
	}
	m.add(now.world.Node, now.relevant)
	for node, peer := range now.view.Peers {
		m.add(node, peer.State.Links)
	}
	var all []string
	for _, own := range m {
		for mac := range own {
			all = append(all, mac)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// mostMACs bounds what is kept of one node: beyond it, what it had before is forgotten.
const mostMACs = 256

func (m macs) add(node string, links []lb.Link) {
	if len(m[node]) > mostMACs {
		delete(m, node)
	}
	for i := range links {
		if mac := links[i].MAC; mac != "" {
			if m[node] == nil {
				m[node] = map[string]bool{}
			}
			m[node][mac] = true
		}
	}
}
