package forecast

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// router is a router to which BGPPeers lead a node. One of them has the session with it, and overrides the others.
type router struct {
	end announce.Router
	// sessions that the BGPPeers ask for, that of the oldest first; chosen is the index of the one that there is, established or not.
	sessions    []announce.Session
	chosen      int
	established bool
}

// session is the session that there is with the router; where none can have it, that of the oldest.
func (r *router) session() *announce.Session { return &r.sessions[r.chosen] }

// passesOver reports whether a BGPPeer is older than the one that has the session, and so cannot have it, whatever the reason is. That is
// reported by the speakers; that its Secret has no password cannot be seen from outside.
func (r *router) passesOver(peer string) bool {
	return r != nil && slices.ContainsFunc(r.sessions[:r.chosen], func(s announce.Session) bool { return s.Peer == peer })
}

// equal reports whether the same BGPPeers lead to a router, and the same of them are Down.
func (r *router) equal(other *router) bool {
	return r != nil && other != nil && slices.EqualFunc(r.sessions, other.sessions, func(a, b announce.Session) bool {
		return a.Peer == b.Peer && a.Down() == b.Down()
	})
}

// routerIn is the one of some routers that a session is with; nil: there is none.
func routerIn(routers []*router, end announce.Router) *router {
	i := slices.IndexFunc(routers, func(r *router) bool { return r.end == end })
	if i < 0 {
		return nil
	}
	return routers[i]
}

// allRouters are those of each node that has a Speaker object, given those before; nil: which sessions there are is as the speakers report.
func (o *Outcome) allRouters(before map[string][]*router) map[string][]*router {
	all := make(map[string][]*router, len(o.objects.Speakers))
	world := o.objects.ReportedWorld(o.settings.Classes, o.settings.Options)
	world.Services, world.L2Advertisements, world.BGPAdvertisements = nil, nil, nil // which sessions there are does not depend on them
	created := make(map[string]time.Time, len(world.Peers))
	for _, peer := range world.Peers {
		created[peer.Name] = peer.Created
	}
	for _, speaker := range o.objects.Speakers {
		nodeWorld := o.objects.AsNode(world, speaker.Name)
		sessions := announce.Sessions(&nodeWorld)
		slices.SortStableFunc(sessions, func(a, b announce.Session) int {
			return cmp.Or(created[a.Peer].Compare(created[b.Peer]), strings.Compare(a.Peer, b.Peer))
		})
		routers := routersOf(sessions)
		for _, r := range routers {
			then := routerIn(before[speaker.Name], r.end)
			r.chosen = max(0, slices.IndexFunc(r.sessions, func(s announce.Session) bool {
				if before == nil {
					return isEstablished(&s, speaker.Status.BGP)
				}
				return !then.passesOver(s.Peer)
			}))
		}
		all[speaker.Name] = routers
	}
	return all
}

func routersOf(sessions []announce.Session) (routers []*router) {
	for i := range sessions {
		end := sessions[i].Router()
		r := routerIn(routers, end)
		if r == nil {
			r = &router{end: end}
			routers = append(routers, r)
		}
		r.sessions = append(r.sessions, sessions[i])
	}
	return routers
}

func isEstablished(s *announce.Session, reports []v1beta1.BGPSession) bool {
	own, reported := reportOf(s, reports)
	return reported && own.State == v1beta1.BGPEstablished
}

// reportOf is what a speaker reports of a session.
func reportOf(s *announce.Session, reports []v1beta1.BGPSession) (report v1beta1.BGPSession, reported bool) {
	i := slices.IndexFunc(reports, func(r v1beta1.BGPSession) bool { return isOf(&r, s) })
	if i < 0 {
		return report, false
	}
	return reports[i], true
}

// isOf reports whether a report is about a session.
func isOf(report *v1beta1.BGPSession, s *announce.Session) bool {
	if report.Peer != s.Peer || report.Address == "" || !s.Address.IsValid() {
		return report.Peer == s.Peer
	}
	addr, err := lb.ParsePeerAddr(report.Address)
	return err == nil && addr == s.Address
}
