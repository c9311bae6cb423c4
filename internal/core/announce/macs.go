package announce

import (
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
// returns all addresses, sorted, each once. Of several nodes that one is named which has the address now and whose speaker is alive: a node
// may have got another name, or a network card of another one.
func (m ClusterMACs) Update(links map[string][]lb.Link, alive, inCluster func(node string) bool) []NodeMAC {
	for node := range m {
		if !inCluster(node) {
			delete(m, node)
		}
	}
	// order does not matter: each node has an entry of its own.
	for node, links := range links {
		m.add(node, links)
	}
	best := make(map[string]heldMAC, 2*len(m))
	// order does not matter: the best has an order.
	for node, own := range m {
		for mac, name := range own {
			now := slices.ContainsFunc(links[node], func(l lb.Link) bool { return l.MAC == mac || l.PermanentMAC == mac })
			found := heldMAC{NodeMAC{mac, node, name}, now, now && alive(node)}
			if other, exists := best[mac]; !exists || found.before(&other) {
				best[mac] = found
			}
		}
	}
	all := make([]NodeMAC, 0, len(best))
	for _, found := range best {
		all = append(all, found.NodeMAC)
	}
	slices.SortFunc(all, func(a, b NodeMAC) int { return strings.Compare(a.MAC, b.MAC) })
	return all
}

// heldMAC is a MAC address of a node. now: the node has it, as far as its speaker has said; alive: and that speaker is.
type heldMAC struct {
	NodeMAC
	now, alive bool
}

// before reports whether an address is this node's rather than another's.
func (h *heldMAC) before(other *heldMAC) bool {
	switch {
	case h.alive != other.alive:
		return h.alive
	case h.now != other.now:
		return h.now
	}
	return h.Node < other.Node
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
