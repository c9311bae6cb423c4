package cluster

import (
	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// overridden are the BGPPeers of which a node has no session, as its Speaker object says, because each of their routers has the session of an
// older BGPPeer.
func overridden(present []*v1beta1.Speaker) map[announce.NodePeer]bool {
	found := map[announce.NodePeer]bool{}
	for _, speaker := range present {
		for i := range speaker.Status.BGP {
			if session := &speaker.Status.BGP[i]; OlderPeer(session) != "" {
				found[announce.NodePeer{Node: speaker.Name, Peer: session.Peer}] = true
			}
		}
	}
	for _, speaker := range present {
		for i := range speaker.Status.BGP {
			if session := &speaker.Status.BGP[i]; OlderPeer(session) == "" {
				delete(found, announce.NodePeer{Node: speaker.Name, Peer: session.Peer})
			}
		}
	}
	return found
}

// OlderPeer is the BGPPeer that overrides a session which a node reports: it is older, and has the session with the same router. Empty:
// there is none.
func OlderPeer(session *v1beta1.BGPSession) string {
	if session.State == v1beta1.BGPEstablished {
		return ""
	}
	return announce.OlderPeer(session.LastError)
}
