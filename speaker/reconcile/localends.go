package reconcile

import (
	"net/netip"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

// planOf computes the plan for what has been seen, and remembers what annotations of the node give its sessions.
func (m *memory) planOf(seen *snapshot) *announce.Plan {
	if m.localEnds == nil {
		m.localEnds = reportedEnds(seen.own)
	}
	seen.world.LocalEnds = m.localEnds
	plan := m.computer.Compute(&seen.world)
	m.localEnds = announce.LocalEnds(seen.world.Peers, plan.Sessions, m.localEnds)
	return plan
}

// reportedEnds are the source addresses and BGP identifiers that this node's Speaker object has of the process before this one, by BGPPeer.
func reportedEnds(own *v1beta1.Speaker) map[string]announce.LocalEnd {
	ends := map[string]announce.LocalEnd{}
	if own == nil {
		return ends
	}
	for i := range own.Status.BGP {
		session := &own.Status.BGP[i]
		source, _ := netip.ParseAddr(session.Source) // What is no address was none.
		routerID, _ := netip.ParseAddr(session.RouterID)
		end := ends[session.Peer]
		end.Add(source, routerID)
		ends[session.Peer] = end
	}
	return ends
}

// addLocalEnds writes into the list of some sessions what annotations of the node give each, or gave those with its peer.
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
