package announce

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// maxMACs bounds what is kept of one node: beyond it, the addresses that it had before are forgotten.
const maxMACs = 256

// ClusterMACs are the MAC addresses of the cluster's nodes, by node. Those of a node that is away are kept while it is part
// of the cluster, so that it is no foreign host when it is heard again.
type ClusterMACs map[string]map[string]bool

// Update adds the links that are known now, by node, forgets the nodes that are no part of the cluster any more, and
// returns all addresses, sorted.
func (m ClusterMACs) Update(links map[string][]lb.Link, inCluster func(node string) bool) []string {
	for node := range m {
		if !inCluster(node) {
			delete(m, node)
		}
	}
	// order does not matter: each node has an entry of its own.
	for node, links := range links {
		m.add(node, links)
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

func (m ClusterMACs) add(node string, links []lb.Link) {
	if len(m[node]) > maxMACs {
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
