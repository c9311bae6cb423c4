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

// paths to a peer by prefix, and the lengths of prefixes that occur.
type paths struct {
	byPrefix map[netip.Prefix]string
	lengths  map[int]bool
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
	p := &paths{make(map[netip.Prefix]string, len(list)), map[int]bool{}}
	for _, path := range list {
		if _, known := texts[path.Attributes]; !known {
			texts[path.Attributes] = attributesText(path.Attributes)
		}
		p.byPrefix[path.Prefix], p.lengths[path.Prefix.Bits()] = texts[path.Attributes], true
	}
	return p
}

// to an address, each prefix with its attributes, in words.
func (p *paths) to(addr netip.Addr) (texts []string) {
	for bits := range p.lengths {
		if prefix, err := addr.Prefix(bits); err == nil {
			if attributes, found := p.byPrefix[prefix]; found {
				texts = append(texts, prefix.String()+attributes)
			}
		}
	}
	slices.Sort(texts)
	return texts
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
		text += fmt.Sprintf(" weight %d", a.Weight)
	}
	if len(a.Communities) > 0 {
		text += " communities " + strings.Join(lb.Strings(a.Communities), ",")
	}
	return text
}

// routes to an address of a Service that routers have, by node: to which peer, and with which attributes.
func (o *Outcome) routes(answers *announce.Answers) map[string]string {
	byNode := map[string]string{}
	o.eachRoute(answers, func(node, _, text string) {
		if before := byNode[node]; before != "" {
			text = before + "; " + text
		}
		byNode[node] = text
	})
	return byNode
}

// told are the nodes that announce an address to each peer, sorted.
func (o *Outcome) told(answers *announce.Answers) map[string][]string {
	byPeer := map[string][]string{}
	o.eachRoute(answers, func(node, peer, _ string) {
		if !slices.Contains(byPeer[peer], node) {
			byPeer[peer] = append(byPeer[peer], node)
		}
	})
	return byPeer
}

// eachRoute calls a function with each route to an address, in order of nodes.
func (o *Outcome) eachRoute(answers *announce.Answers, do func(node, peer, text string)) {
	if answers.Against.Name != "" {
		return
	}
	for i := range answers.Nodes {
		answer := &answers.Nodes[i]
		node := o.nodes()[answer.Node]
		for _, peer := range answer.Peers {
			if peer.Reason != announce.Eligible || node == nil {
				continue
			}
			sent := node.peers[peer.Peer]
			if sent == nil {
				do(answer.Node, peer.Peer, "to "+peer.Peer)
				continue
			}
			for _, text := range sent.to(answers.Addr) {
				do(answer.Node, peer.Peer, text+" to "+peer.Peer)
			}
		}
	}
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
