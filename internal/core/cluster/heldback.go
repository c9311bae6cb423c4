package cluster

import (
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// heldBack returns what the Speaker objects say of families that established sessions do not carry: the router does not exchange them,
// or the node has no next hop for them that the router reaches. A family that one of a peer's sessions carries is not held back.
func heldBack(speakers []*v1beta1.Speaker) map[announce.NodePeer][]lb.Family {
	carried := map[announce.NodePeer][]lb.Family{}
	for _, speaker := range speakers {
		for i := range speaker.Status.BGP {
			session := &speaker.Status.BGP[i]
			if session.State == v1beta1.BGPEstablished && len(session.Families) > 0 {
				key := announce.NodePeer{Node: speaker.Name, Peer: session.Peer}
				carried[key] = append(carried[key], carriedBy(session)...)
			}
		}
	}
	held := map[announce.NodePeer][]lb.Family{}
	// order does not matter: each entry stands for itself.
	for key, families := range carried {
		for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
			if !slices.Contains(families, family) {
				held[key] = append(held[key], family)
			}
		}
	}
	return held
}

// carriedBy are the families that a session carries.
func carriedBy(session *v1beta1.BGPSession) (families []lb.Family) {
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		name := v1beta1.AddressFamily(family.String())
		if slices.Contains(session.Families, name) && !slices.Contains(session.HeldBack, name) {
			families = append(families, family)
		}
	}
	return families
}
