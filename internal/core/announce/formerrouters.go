package announce

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// FormerRouters returns the routers to remember after a plan with some sessions, by peer, given those before it. Sessions go on with them when
// the node cannot tell any more where its routers are, also after a restart of the speaker. They are forgotten when the peer is gone, or its routers are
// others; not while the peer has no session here.
func FormerRouters(peers []*lb.Peer, sessions []Session, before map[string][]netip.Addr) map[string][]netip.Addr {
	now, known := map[string][]netip.Addr{}, map[string]bool{}
	for i := range sessions {
		if s := &sessions[i]; s.Address.IsValid() && !s.Former {
			now[s.Peer], known[s.Peer] = append(now[s.Peer], s.Address), true
		}
	}
	for i := range sessions {
		if s := &sessions[i]; !s.Address.IsValid() {
			known[s.Peer] = !s.RoutersUnknown
		}
	}
	for _, peer := range peers {
		if known[peer.Name] {
			continue
		}
		for _, router := range before[peer.Name] {
			if !slices.Contains(now[peer.Name], router) {
				now[peer.Name] = append(now[peer.Name], router)
			}
		}
	}
	return now
}

// goesOn makes a session go on with a router that the peer had on this node, since it is not known where its routers are now.
func (r *rules) goesOn(s Session, router netip.Addr, peer *lb.Peer, n *lb.Node, why string) Session {
	s.Name = peer.Name + "/" + router.String()
	s.Warnings = append(slices.Clip(s.Warnings), fmt.Sprintf("%s: %s, which it had, goes on", why, router))
	r.setAddress(&s, router, peer, n)
	return s
}

// formerGateways are sessions with the gateways that the node had: of the peer's family, and while it has none of that, of the other one, too, for
// the peer may name a family by mistake. While the node has others, they are there for the first pass of a speaker alone, as SessionMemory may keep
// them.
func (r *rules) formerGateways(base Session, peer *lb.Peer, n *lb.Node, others []Session) (former []Session) {
	for _, router := range r.world.FormerRouters[peer.Name] {
		if len(others) > 0 && lb.FamilyOf(router) != peer.GatewayFamily || slices.ContainsFunc(others, func(s Session) bool { return s.Address == router }) {
			continue
		}
		session := r.goesOn(base, router, peer, n, fmt.Sprintf("%s is no %s default gateway of the node any more", router, peer.GatewayFamily))
		session.FromGateway, session.Former = true, len(others) > 0
		former = append(former, session)
	}
	return former
}

// resolveVRF puts a session into the VRF of its peer, or into the one in which it was while the node has none of that name; "" if that is
// how it is, else what is wrong.
func (r *rules) resolveVRF(s *Session, peer *lb.Peer, n *lb.Node) string {
	s.VRF, s.VRFNamed = peer.VRF, peer.VRF != ""
	if peer.VRF == "" || r.world.Reported || r.ownLink(peer.VRF) != nil {
		return ""
	}
	s.VRFMissing = true
	why := fmt.Sprintf("vrf: node %s has no interface %s", n.Name, peer.VRF)
	before := r.world.LocalEnds[peer.Name]
	switch {
	case !before.InVRF || before.VRF == peer.VRF:
		return why
	case before.VRF == "":
		s.VRF, s.Warnings = "", []string{why + ": the session goes on in none, as it was"}
	case r.ownLink(before.VRF) != nil:
		s.VRF, s.Warnings = before.VRF, []string{fmt.Sprintf("%s: the session goes on in %s, as it was", why, before.VRF)}
	default:
		return why
	}
	return ""
}

// unnumberedSessions are the session with the router at the other end of an interface. If the node has no such interface, those that it had
// with the peer go on; one that is established under the name of the peer exactly as it is. Its name stays that of the peer: a BFD session that
// changed its name would end.
func (r *rules) unnumberedSessions(base Session, peer *lb.Peer, n *lb.Node) (sessions []Session) {
	router, found := r.world.Routers[peer.Interface]
	missing := !found && !r.world.Reported && r.ownLink(peer.Interface) == nil
	named := false
	if missing && !r.world.Running[peer.Name] {
		for _, former := range r.world.FormerRouters[peer.Name] {
			s := r.goesOn(base, former, peer, n, r.noRouter(peer.Interface))
			if !named && !r.world.Running[s.Name] {
				s.Name, named = peer.Name, true
			}
			sessions = append(sessions, s)
		}
	}
	if named {
		return sessions
	}
	if !found {
		base.Problem, base.RoutersUnknown = cmp.Or(base.Problem, r.noRouter(peer.Interface)), missing
	}
	if missing && r.world.Running[peer.Name] {
		base.Warnings = append(slices.Clip(base.Warnings), base.Problem+": the session goes on as it was")
	}
	r.setAddress(&base, router, peer, n)
	return append(sessions, base)
}
