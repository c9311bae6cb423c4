package announce

import (
	"cmp"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// maxMACs bounds what is kept of one node: beyond it, the addresses that it had before are forgotten.
const maxMACs = 256

// ClusterMACs are the MAC addresses of the cluster's nodes, by node, each with its interface. Those of a node that is away
// are kept while it is part of the cluster, so that it is no foreign host when it is heard again.
type ClusterMACs map[string]map[string]string

// NodeMAC is a MAC address of an interface of a node.
type NodeMAC struct{ MAC, Node, Interface string }

// Update adds the links that are known now, by node, forgets the nodes that are no part of the cluster any more, and
// returns all addresses, sorted, each once.
func (m ClusterMACs) Update(links map[string][]lb.Link, inCluster func(node string) bool) []NodeMAC {
	for node := range m {
		if !inCluster(node) {
			delete(m, node)
		}
	}
	// order does not matter: each node has an entry of its own.
	for node, links := range links {
		m.add(node, links)
	}
	var all []NodeMAC
	for node, own := range m {
		for mac, name := range own {
			all = append(all, NodeMAC{mac, node, name})
		}
	}
	slices.SortFunc(all, func(a, b NodeMAC) int { return cmp.Or(strings.Compare(a.MAC, b.MAC), strings.Compare(a.Node, b.Node)) })
	return slices.CompactFunc(all, func(a, b NodeMAC) bool { return a.MAC == b.MAC })
}

func (m ClusterMACs) add(node string, links []lb.Link) {
	if len(m[node]) > maxMACs {
		delete(m, node)
	}
	for i := range links {
		for _, mac := range []string{links[i].MAC, links[i].PermanentMAC} {
			if mac == "" {
				continue
			}
			if m[node] == nil {
				m[node] = map[string]string{}
			}
			m[node][mac] = links[i].Name
		}
	}
}
