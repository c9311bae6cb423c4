package reconcile

import (
	"net/netip"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

// planOf computes the plan for what has been seen, and remembers what the node gives its sessions, and with which routers they are.
func (m *memory) planOf(seen *snapshot) *announce.Plan {
	if m.localEnds == nil {
		m.localEnds, m.formerRouters = reportedEnds(seen.own)
	}
	seen.world.LocalEnds, seen.world.FormerRouters = m.localEnds, m.formerRouters
	seen.world.OwnEnd = m.ownEnd
	plan := m.computer.Compute(&seen.world)
	m.ownEnd = seen.world.NodeEnd()
	m.localEnds = announce.LocalEnds(seen.world.Peers, plan.Sessions, m.localEnds)
	m.formerRouters = announce.FormerRouters(seen.world.Peers, plan.Sessions, m.formerRouters)
	return plan
}

// reportedEnds are what this node's Speaker object has of the sessions of the process before this one, by BGPPeer: their local ends and routers.
func reportedEnds(own *v1beta1.Speaker) (ends map[string]announce.LocalEnd, routers map[string][]netip.Addr) {
	ends, routers = map[string]announce.LocalEnd{}, map[string][]netip.Addr{}
	if own == nil {
		return ends, routers
	}
	for i := range own.Status.BGP {
		session := &own.Status.BGP[i]
		source, _ := netip.ParseAddr(session.Source) // What is no address was none.
		routerID, _ := netip.ParseAddr(session.RouterID)
		end := ends[session.Peer]
		end.Add(source, routerID)
		if session.VRF != nil {
			end.InVRF, end.VRF = true, *session.VRF
		}
		ends[session.Peer] = end
		if router, err := lb.ParsePeerAddr(session.Address); err == nil {
			routers[session.Peer] = append(routers[session.Peer], router)
		}
	}
	return ends, routers
}

// addLocalEnds writes into the list of some sessions what the node gives each, or gave those with its peer.
func (m *memory) addLocalEnds(list []v1beta1.BGPSession, sessions []bgp.Status, planned []announce.Session) {
	byName := make(map[string]*announce.Session, len(planned))
	for i := range planned {
		byName[planned[i].Name] = &planned[i]
	}
	for i := range list {
		if s := byName[sessions[i].Name]; s != nil {
			end := m.localEnds[s.Peer]
			source, routerID := end.OfSession(s)
			list[i].Source, list[i].RouterID = addrText(source), addrText(routerID)
			if s.VRFNamed && end.InVRF {
				list[i].VRF = &end.VRF
			}
		}
	}
}

// addrText is the text of an address; empty for an invalid one.
func addrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}
