package forecast

import (
	"slices"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// assumeSessions assumes that a session is established which a node had no reason to have before: nothing led to its router, or what did was
// Down. A router to which several BGPPeers lead has the session of the oldest; where that is another one now, the session goes on under its
// name. All others stay as they are reported.
func (o *Outcome) assumeSessions(before *Outcome) {
	speakers := slices.Clone(o.objects.Speakers)
	for i, speaker := range speakers {
		was, is := before.routers[speaker.Name], o.routers[speaker.Name]
		if slices.EqualFunc(was, is, func(a, b *router) bool { return a.end == b.end && a.equal(b) }) {
			continue
		}
		speakers[i] = speaker.DeepCopy()
		speakers[i].Status.BGP = reportsAfter(was, is, speaker.Status.BGP)
	}
	o.objects.Speakers = speakers
	o.noteEstablished()
}

// noteEstablished notes which sessions are, as is reported.
func (o *Outcome) noteEstablished() {
	for _, speaker := range o.objects.Speakers {
		for _, r := range o.routers[speaker.Name] {
			r.established = isEstablished(r.session(), speaker.Status.BGP)
		}
	}
}

// reportsAfter is what a speaker reports of its sessions when other BGPPeers lead to its routers, or to others.
func reportsAfter(was, is []*router, reports []v1beta1.BGPSession) (after []v1beta1.BGPSession) {
	after = slices.Clone(reports)
	for _, r := range slices.Concat(was, is) {
		if routerIn(was, r.end).equal(routerIn(is, r.end)) {
			continue
		}
		after = slices.DeleteFunc(after, func(report v1beta1.BGPSession) bool {
			return slices.ContainsFunc(r.sessions, func(s announce.Session) bool { return isOf(&report, &s) && !stays(&s, is) })
		})
	}
	for _, now := range is {
		then := routerIn(was, now.end)
		if now.equal(then) {
			continue
		}
		for i := range now.sessions {
			s := &now.sessions[i]
			report, reported := reportOf(s, reports)
			switch {
			case stays(s, is):
				reported = false
			case s.Down() && i == now.chosen, then.passesOver(s.Peer):
			case i == now.chosen:
				report, reported = now.reportOfChosen(then, reports)
			default:
				report, reported = overriddenBy(now.session(), s), true
			}
			if reported {
				after = append(after, report)
			}
		}
	}
	return after
}

// stays reports whether all sessions of a BGPPeer on a node stay as they are, since it is not known now where its routers are.
func stays(s *announce.Session, is []*router) bool {
	return slices.ContainsFunc(is, func(r *router) bool {
		return slices.ContainsFunc(r.sessions, func(other announce.Session) bool { return other.Peer == s.Peer && other.RoutersUnknown })
	})
}

// reportOfChosen is what is reported of the session with a router: that of the one before it, if there was one.
func (r *router) reportOfChosen(then *router, reports []v1beta1.BGPSession) (report v1beta1.BGPSession, reported bool) {
	s := r.session()
	if then == nil || then.session().Down() {
		return reportAs(s, v1beta1.BGPEstablished), true
	}
	report, reported = reportOf(then.session(), reports)
	if report.Peer = s.Peer; !slices.Equal(then.session().Families, s.Families) {
		report.Families, report.HeldBack = nil, nil // they are negotiated anew
	}
	return report, reported
}

func overriddenBy(older, s *announce.Session) v1beta1.BGPSession {
	report := reportAs(s, v1beta1.BGPActive)
	report.LastError = announce.OlderText(older.Peer, s.Router())
	return report
}

func reportAs(s *announce.Session, state v1beta1.BGPSessionState) v1beta1.BGPSession {
	report := v1beta1.BGPSession{Peer: s.Peer, State: state}
	if s.Address.IsValid() {
		report.Address = s.Address.String()
	}
	return report
}

// nodePeer is a node and a BGPPeer of it.
type nodePeer struct{ node, peer string }

// formerNames has, by node and BGPPeer, the one under whose name its sessions were before. The routers notice nothing of it.
func formerNames(before, after *Outcome) map[nodePeer]string {
	former := map[nodePeer]string{}
	// order does not matter: each node stands for itself
	for node, is := range after.routers {
		was := before.routers[node]
		for _, r := range is {
			then := routerIn(was, r.end)
			if then != nil && then.session().Peer != r.session().Peer && replaces(r.session().Peer, then.session().Peer, was, is) {
				former[nodePeer{node, r.session().Peer}] = then.session().Peer
			}
		}
	}
	return former
}

// replaces reports whether a BGPPeer that had no session has exactly those that another one had, which has none any more.
func replaces(now, then string, was, is []*router) bool {
	hadBy, hasBy := sessionsOf(was, then), sessionsOf(is, now)
	return len(sessionsOf(was, now)) == 0 && len(sessionsOf(is, then)) == 0 && len(hadBy) == len(hasBy) &&
		!slices.ContainsFunc(hadBy, func(end announce.Router) bool { return !slices.Contains(hasBy, end) })
}

// sessionsOf are the routers with which a BGPPeer has an established session.
func sessionsOf(routers []*router, peer string) (ends []announce.Router) {
	for _, r := range routers {
		if s := r.session(); s.Peer == peer && r.established && !s.Down() {
			ends = append(ends, r.end)
		}
	}
	return ends
}

// PeersWithoutSession are the BGPPeers, in order, with which some nodes had a session, all of which have been stopped, and which select no
// node that runs. What is announced to others reaches the router of such a peer by these, if at all.
func PeersWithoutSession(before, after *Outcome) (names []string) {
	had, kept := map[string]bool{}, map[string]bool{}
	// order does not matter, in none of the loops: they fill maps
	for node, routers := range after.routers {
		if _, runs := after.world.Established[node]; runs {
			for _, r := range routers {
				kept[r.session().Peer] = kept[r.session().Peer] || !r.session().Down()
			}
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
