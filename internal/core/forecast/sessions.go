package forecast

import (
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// assumeSessions assumes that a session is established which a node had no reason to have before: its BGPPeer is new, or selects the node
// now, or was Down. All others stay as they are reported.
func (o *Outcome) assumeSessions(before *cluster.Objects) {
	had := sessionsOf(before)
	speakers := slices.Clone(o.objects.Speakers)
	for session := range sessionsOf(o.objects) {
		i := slices.IndexFunc(speakers, func(s *v1beta1.Speaker) bool { return s.Name == session.node })
		if i < 0 || had[session] {
			continue
		}
		changed := speakers[i].DeepCopy()
		changed.Status.BGP = append(changed.Status.BGP, v1beta1.BGPSession{Peer: session.peer, State: v1beta1.BGPEstablished})
		speakers[i] = changed
	}
	o.objects.Speakers = speakers
}

// PeersWithoutSession are the BGPPeers, in order, with which some nodes had a session, all of which have been stopped, and which select no
// node that runs. What is announced to others reaches the router of such a peer by these, if at all.
func PeersWithoutSession(before, after *Outcome) (names []string) {
	had, kept := map[string]bool{}, map[string]bool{}
	// order does not matter, in none of the loops: they fill maps
	for session := range sessionsOf(after.objects) {
		if _, runs := after.world.Established[session.node]; runs {
			kept[session.peer] = true
		}
	}
	for node, sessions := range before.world.Established {
		_, runs := after.world.Established[node]
		for peer, established := range sessions {
			had[peer] = had[peer] || established
			kept[peer] = kept[peer] || established && runs
		}
	}
	for _, peer := range after.objects.Peers {
		if had[peer.Name] && !kept[peer.Name] {
			names = append(names, peer.Name)
		}
	}
	slices.Sort(names)
	return names
}

// nodePeer is a node and a BGPPeer of it.
type nodePeer struct{ node, peer string }

// sessionsOf has the nodes that each peer selects, if it is not Down.
func sessionsOf(objects *cluster.Objects) map[nodePeer]bool {
	sessions, known := map[nodePeer]bool{}, objects.Known()
	for _, peer := range objects.Peers {
		peer = lb.InForce(peer, nil).Keeping(known)
		for _, n := range objects.Nodes {
			if peer.AdminState != v1beta1.AdminDown && peer.NodeSelectors.Match(n.Labels) {
				sessions[nodePeer{n.Name, peer.Name}] = true
			}
		}
	}
	return sessions
}
