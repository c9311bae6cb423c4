package cluster

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// NodeWorld is what the speaker of one node decides on, as seen from outside of the node: a ReportedWorld, with what the Speaker object
// of the node says of its interfaces, gateways, routers and sessions. announce.Compute makes the node's plan of it, with three
// exceptions. No report has the addresses by interface, so the next hops of its Sessions are a guess; nobody else reads the passwords
// of peers, so their Problem says nothing; and what a speaker remembers and others do not, such as gateways of a moment ago, is not in it.
func (o *Objects) NodeWorld(node string, classes lb.Classes, options announce.Options) announce.World {
	return o.AsNode(o.ReportedWorld(classes, options), node)
}

// AsNode makes the NodeWorld of a node of a ReportedWorld of the same objects, with which it shares all that is the same on all nodes.
func (o *Objects) AsNode(w announce.World, node string) announce.World {
	w.Node, w.OwnLinks = node, w.Links[node]
	i := slices.IndexFunc(o.Speakers, func(s *v1beta1.Speaker) bool { return s.Name == node })
	if i < 0 {
		return w
	}
	for _, addr := range lb.ParseNodeNetwork(o.Speakers[i]).Gateways {
		w.Gateways = append(w.Gateways, lb.Gateway{Addr: addr})
	}
	w.Routers, w.Running = map[string]netip.Addr{}, map[string]bool{}
	for _, session := range o.Speakers[i].Status.BGP {
		addSession(&w, &session)
	}
	return w
}

// addSession adds what a session that a node reports says of its router.
func addSession(w *announce.World, session *v1beta1.BGPSession) {
	addr, err := lb.ParsePeerAddr(session.Address)
	i := slices.IndexFunc(w.Peers, func(p *lb.Peer) bool { return p.Name == session.Peer })
	if err != nil || i < 0 {
		return
	}
	peer := w.Peers[i]
	if gateway := (lb.Gateway{Addr: addr, VRF: peer.VRF}); peer.GatewayFamily == lb.FamilyOf(addr) && !slices.Contains(w.Gateways, gateway) {
		w.Gateways = append(w.Gateways, gateway)
	}
	if peer.Interface != "" {
		w.Routers[peer.Interface] = addr
	}
	established := session.State == v1beta1.BGPEstablished
	w.Running[peer.Name] = w.Running[peer.Name] || established
	w.Running[peer.Name+"/"+addr.String()] = established
}
