package lb

import (
	"fmt"
	"slices"
	"strings"
)

// An edit of a BGPPeer after which no node could have a session with it is taken for a mistake, whether nodeSelectors match nothing or the
// annotation that they are to find the router in is on none of the nodes: who wants no session says so with adminState. While that is so,
// what the controller accepted last counts, as long as a node could have a session by that.

// Keeping returns the peer as it counts: itself, or what the controller accepted last of it. An administrator who takes the router out of use
// is heard in any case.
func (p *Peer) Keeping(known *Known) *Peer {
	before := p.Accepted
	if before == nil || before.Generation == p.Generation || p.Err != nil || before.Err != nil || known.NoNode(p) == "" || known.NoNode(before) != "" {
		return p
	}
	kept := *before
	kept.AdminState, kept.ShutdownMessage = p.AdminState, p.ShutdownMessage
	return &kept
}

// NoNode says why no node can have a session with a peer, as far as the Nodes tell; "" if one can.
func (k *Known) NoNode(p *Peer) string {
	var selected []*Node
	for _, n := range k.nodes {
		if !p.NodeSelectors.Match(n.Labels) || n.NoSpeaker() != "" {
			continue
		}
		if p.NodeAnnotation == "" || strings.TrimSpace(n.Annotations[p.NodeAnnotation]) != "" {
			return ""
		}
		selected = append(selected, n)
	}
	if len(selected) == 0 {
		return "nodeSelectors match no node on which a speaker can run"
	}
	text := fmt.Sprintf("no node that nodeSelectors match has the annotation %s", p.NodeAnnotation)
	if nearest := Nearest(p.NodeAnnotation, annotationsOf(selected)); nearest != "" {
		text += fmt.Sprintf(": did you mean %s?", nearest)
	}
	return text
}

// annotationsOf some nodes that say something, each key once.
func annotationsOf(nodes []*Node) (keys []string) {
	for _, n := range nodes {
		// order does not matter: they are sorted below
		for key, value := range n.Annotations {
			if strings.TrimSpace(value) != "" {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
