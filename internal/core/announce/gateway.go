package announce

import (
	"fmt"
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// gateways makes a session for each default gateway that the node uses, of the peer's VRF. One that is a backup is no peer: it may
// have no BGP, and is dialed once it is used.
func (r *rules) gateways(base Session, peer *lb.Peer, n *lb.Node) []Session {
	var sessions []Session
	for _, gateway := range r.world.Gateways {
		if gateway.Backup || gateway.VRF != base.VRF || lb.FamilyOf(gateway.Addr) != peer.GatewayFamily {
			continue
		}
		session := base
		session.Name, session.FromGateway = peer.Name+"/"+gateway.Addr.String(), true
		r.setAddress(&session, gateway.Addr, peer, n)
		sessions = append(sessions, session)
	}
	former := r.formerGateways(base, peer, n, sessions)
	if len(sessions) == 0 {
		if base.Problem == "" {
			base.Problem = fmt.Sprintf("the node has no %s default gateway%s", peer.GatewayFamily, inVRF(base.VRF))
		}
		base.RoutersUnknown = true
		r.setAddress(&base, netip.Addr{}, peer, n)
		sessions = append(sessions, base)
	}
	return append(sessions, former...)
}

func inVRF(name string) string {
	if name == "" {
		return ""
	}
	return " in VRF " + name
}
