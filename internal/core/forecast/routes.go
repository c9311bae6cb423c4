package forecast

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// node is what a node announces by BGP, and serves.
type node struct {
	// peers by name. Those whose routers are not known have none here.
	peers map[string]*paths
	// healthy are the Services whose health checks on this node succeed.
	healthy map[lb.Key]bool
}

// paths to a peer in order of prefix, what their attributes are in words, and the lengths of prefixes that occur, sorted.
type paths struct {
	list    []announce.Path
	texts   map[*announce.Attributes]string
	lengths []int
}

// route to an address that a router has.
type route struct {
	node, peer string
	// prefix is invalid if it is not known what the node sends.
	prefix     netip.Prefix
	attributes string
}

// nodes lets each speaker that is there plan.
func (o *Outcome) nodes() map[string]*node {
	if o.planned != nil {
		return o.planned
	}
	o.planned = make(map[string]*node, len(o.world.Established))
	// order does not matter: each node plans by itself
	for name := range o.world.Established {
		world := o.objects.NodeWorld(name, o.settings.Classes, o.settings.Options)
		world.L2Advertisements = nil
		o.planned[name] = nodeOf(announce.Compute(&world))
	}
	return o.planned
}

func nodeOf(plan *announce.Plan) *node {
	n := &node{peers: map[string]*paths{}, healthy: map[lb.Key]bool{}}
	texts := map[*announce.Attributes]string{}
	shared := map[*announce.Path]*paths{}
	for i := range plan.Sessions {
		session := &plan.Sessions[i]
		if n.peers[session.Peer] != nil {
			continue // all sessions of a peer have the same paths
		}
		if len(session.Paths) == 0 {
			n.peers[session.Peer] = &paths{}
			continue
		}
		first := &session.Paths[0]
		if shared[first] == nil {
			shared[first] = pathsOf(session.Paths, texts)
		}
		n.peers[session.Peer] = shared[first]
	}
	for _, port := range plan.HealthPorts {
		n.healthy[port.Service] = port.LocalEndpoints > 0 && port.NodeHealthy
	}
	return n
}

func pathsOf(list []announce.Path, texts map[*announce.Attributes]string) *paths {
	p := &paths{list: list, texts: texts}
	for _, path := range list {
		if _, known := texts[path.Attributes]; !known {
			texts[path.Attributes] = attributesText(path.Attributes)
		}
		if i, known := slices.BinarySearch(p.lengths, path.Prefix.Bits()); !known {
			p.lengths = slices.Insert(p.lengths, i, path.Prefix.Bits())
		}
	}
	return p
}

// find returns the attributes of a prefix in words.
func (p *paths) find(prefix netip.Prefix) (attributes string, found bool) {
	i, found := slices.BinarySearchFunc(p.list, prefix, func(path announce.Path, prefix netip.Prefix) int { return path.Prefix.Compare(prefix) })
	if !found {
		return "", false
	}
	return p.texts[p.list[i].Attributes], true
}

// attributesText has those attributes that are not the default.
func attributesText(a *announce.Attributes) (text string) {
	if a.LocalPref != nil {
		text += fmt.Sprintf(" local-pref %d", *a.LocalPref)
	}
	if a.MED != nil {
		text += fmt.Sprintf(" med %d", *a.MED)
	}
	if a.Prepend > 0 {
		text += fmt.Sprintf(" prepend %d", a.Prepend)
	}
	if a.Weight > 0 {
		text += fmt.Sprintf(" weight %s", a.Weight)
	}
	if len(a.Communities) > 0 {
		text += " communities " + strings.Join(lb.Strings(a.Communities), ",")
	}
	return text
}

// routes to an address of a Service that routers have, in order of nodes.
func (o *Outcome) routes(answers *announce.Answers) (routes []route) {
	if answers.Against.Name != "" {
		return nil
	}
	routes = make([]route, 0, len(answers.Nodes))
	for i := range answers.Nodes {
		answer := &answers.Nodes[i]
		node := o.nodes()[answer.Node]
		for _, peer := range answer.Peers {
			if peer.Reason != announce.Eligible || node == nil {
				continue
			}
			sent := node.peers[peer.Peer]
			if sent == nil {
				routes = append(routes, route{node: answer.Node, peer: peer.Peer})
				continue
			}
			for _, bits := range sent.lengths {
				if prefix, err := answers.Addr.Prefix(bits); err == nil {
					if attributes, found := sent.find(prefix); found {
						routes = append(routes, route{answer.Node, peer.Peer, prefix, attributes})
					}
				}
			}
		}
	}
	return routes
}

// nodesOf are the nodes that have one of some routes, sorted.
func nodesOf(routes []route) (nodes []string) {
	for i, r := range routes {
		if i == 0 || routes[i-1].node != r.node {
			nodes = append(nodes, r.node)
		}
	}
	return nodes
}

// byNode says of routes, by node, to which peer they go, and with which attributes.
func byNode(routes []route) map[string]string {
	texts := map[string]string{}
	for _, r := range routes {
		text := "to " + r.peer
		if r.prefix.IsValid() {
			text = r.prefix.String() + r.attributes + " " + text
		}
		if before := texts[r.node]; before != "" {
			text = before + "; " + text
		}
		texts[r.node] = text
	}
	return texts
}

// byPeer are the nodes that have routes to each peer, sorted.
func byPeer(routes []route) map[string][]string {
	nodes := map[string][]string{}
	for _, r := range routes {
		if known := nodes[r.peer]; len(known) == 0 || known[len(known)-1] != r.node {
			nodes[r.peer] = append(known, r.node)
		}
	}
	return nodes
}

// healthy are the nodes on which the health check of a Service succeeds, sorted.
func (o *Outcome) healthy(key lb.Key) (nodes []string) {
	for name, n := range o.nodes() {
		if n.healthy[key] {
			nodes = append(nodes, name)
		}
	}
	slices.Sort(nodes)
	return nodes
}
