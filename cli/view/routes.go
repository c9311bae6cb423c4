package view

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// RouteList is what routers are told, session by session.
type RouteList struct {
	Items  []SessionRoutes `json:"items"`
	Unseen []Unseen        `json:"unseen,omitempty"`
}

// SessionRoutes are the routes that the objects ask for on one session, and whether the router was sent them.
type SessionRoutes struct {
	Node string `json:"node"`
	Peer string `json:"peer"`
	// Address of the router; empty: it is not known.
	Address string `json:"address,omitempty"`
	// State as the speaker reports it; empty: it reports no such session.
	State  string      `json:"state,omitempty"`
	Sent   SentCheck   `json:"sent"`
	Routes []RouteLine `json:"routes,omitempty"`
}

// SentCheck compares what a router was sent with what the objects ask for.
type SentCheck struct {
	Result SentResult `json:"result"`
	// Message says in words why they are not known to agree.
	Message string `json:"message,omitempty"`
}

// SentResult is the result of a SentCheck.
type SentResult string

// The results.
const (
	// SentAgrees: the digest that the speaker reports is that of the routes.
	SentAgrees SentResult = "Agrees"
	// SentDiffers: it is another one.
	SentDiffers SentResult = "Differs"
	// SentUnknown: they cannot be compared.
	SentUnknown SentResult = "Unknown"
	// SentNothing: the session is not established.
	SentNothing SentResult = "Nothing"
)

// RouteLine is a prefix with its next hop and path attributes.
type RouteLine struct {
	Prefix string `json:"prefix"`
	// NextHops, one or a global and a link-local one; empty: only the node knows it, or there is none.
	NextHops    []string `json:"nextHops,omitempty"`
	ASPath      []uint32 `json:"asPath,omitempty"`
	LocalPref   *uint32  `json:"localPref,omitempty"`
	MED         *uint32  `json:"med,omitempty"`
	Communities []string `json:"communities,omitempty"`
	// Weight of the node among those that announce the prefix; absent: it has none.
	Weight int `json:"weight,omitempty"`
	// NotSent says why an established session does not carry it, although its BGPPeer asks for the family; empty: it does.
	NotSent string `json:"notSent,omitempty"`
	// Services that have an address of the prefix.
	Services []string `json:"services,omitempty"`
}

// RouteFilter says which routes are wanted; its zero value all of them.
type RouteFilter struct {
	Node, Peer string
	// Service whose routes are wanted, and no sessions without one; zero: of all.
	Service lb.Key
}

// MissingOf what a filter names is what does not exist, in words; empty: all is there, as far as is seen.
func (c *Cluster) MissingOf(filter RouteFilter) string {
	_, peer := named[*v1beta1.BGPPeer](c, filter.Peer)
	switch {
	case filter.Peer != "" && !peer && c.sees(resourcePeers):
		return "BGPPeer " + filter.Peer
	case filter.Node != "" && !slices.Contains(c.nodeNames(), filter.Node) && c.sees(resourceNodes, resourceSpeakers):
		return "node " + filter.Node
	case filter.Service != (lb.Key{}) && c.services[filter.Service] == nil && c.sees(resourceServices):
		return "Service " + filter.Service.String()
	}
	return ""
}

// Routes that the objects ask for, in order of node, peer and router.
func (c *Cluster) Routes(filter RouteFilter) RouteList {
	list := RouteList{Items: []SessionRoutes{}, Unseen: c.Unseen}
	for _, node := range c.nodeNames() {
		if filter.Node != "" && filter.Node != node {
			continue
		}
		for _, s := range c.sessionRoutes(node) {
			if filter.Service != (lb.Key{}) {
				s.Routes = slices.DeleteFunc(s.Routes, func(r RouteLine) bool { return !slices.Contains(r.Services, filter.Service.String()) })
			}
			if (filter.Peer == "" || filter.Peer == s.Peer) && (filter.Service == (lb.Key{}) || len(s.Routes) > 0) {
				list.Items = append(list.Items, s)
			}
		}
	}
	return list
}

// sessionRoutes are those of a node: of its reported sessions, and of others that it should have.
func (c *Cluster) sessionRoutes(node string) (list []SessionRoutes) {
	plan := slices.Clone(c.planOf(node))
	speaker := c.speakers[node]
	if speaker != nil {
		for i := range speaker.Status.BGP {
			reported := &speaker.Status.BGP[i]
			x := SessionRoutes{
				Node: node, Peer: reported.Peer, Address: reported.Address, State: string(reported.State), Sent: c.sent(speaker, reported),
			}
			if i := plannedFor(plan, reported); i >= 0 {
				x.Routes = c.routeLines(&plan[i], reported)
				plan = slices.Delete(plan, i, i+1)
			}
			list = append(list, x)
		}
	}
	for i := range plan {
		if p := &plan[i]; speaker == nil || !p.FromGateway && len(speaker.Status.BGP) < v1beta1.SpeakerListLimit {
			x := SessionRoutes{Node: node, Peer: p.Peer, Sent: SentCheck{SentUnknown, "the node has no Speaker object"}}
			if speaker != nil {
				x.Sent = SentCheck{SentDiffers, "the node reports no such session"}
			}
			if p.Address.IsValid() {
				x.Address = p.Address.String()
			}
			x.Routes = c.routeLines(p, &v1beta1.BGPSession{})
			list = append(list, x)
		}
	}
	slices.SortStableFunc(list, func(a, b SessionRoutes) int {
		return cmp.Or(strings.Compare(a.Peer, b.Peer), strings.Compare(a.Address, b.Address))
	})
	return list
}

// planOf a node: the sessions that the objects ask for, each with the paths for its router; none when not all objects are seen. Their
// next hops and their problems are not to be relied on.
func (c *Cluster) planOf(node string) []announce.Session {
	sessions, known := c.plans[node]
	if !known && len(c.Unseen) == 0 {
		w := c.Parsed.NodeWorld(node, c.Settings.Classes, c.Settings.Options)
		sessions = announce.Compute(&w).Sessions
		c.plans[node] = sessions
	}
	return sessions
}

// plannedFor is the index of the session of a plan that a reported one is; -1: there is none.
func plannedFor(plan []announce.Session, reported *v1beta1.BGPSession) int {
	addr, _ := lb.ParsePeerAddr(reported.Address)
	return slices.IndexFunc(plan, func(s announce.Session) bool { return s.Peer == reported.Peer && s.Address == addr })
}

// sent compares the digest that a speaker reports of a session with that of the routes which the objects ask for.
func (c *Cluster) sent(speaker *v1beta1.Speaker, reported *v1beta1.BGPSession) SentCheck {
	switch {
	case lb.SpeakerGone(speaker):
		return SentCheck{SentUnknown, "its speaker is gone, and what it said is old"}
	case reported.State != v1beta1.BGPEstablished:
		return SentCheck{SentNothing, reported.LastError}
	case reported.Digest == "":
		return SentCheck{SentUnknown, "its report has no digest of what it sent, as that of an earlier version, or one with other names"}
	case len(c.Unseen) > 0:
		return SentCheck{SentUnknown, c.notComputed()}
	}
	plan := c.planOf(speaker.Name)
	i := plannedFor(plan, reported)
	if i < 0 {
		return SentCheck{SentDiffers, "by the objects there is no such session"}
	}
	planned := &plan[i]
	for _, fourOctets := range []bool{true, false} { // No report has that, and the digest is of one of them.
		if adjribout.DigestOf(planned, fourOctets, familiesOf(reported.Families), nextHopsOf(reported)).String() == reported.Digest {
			return SentCheck{Result: SentAgrees}
		}
	}
	return SentCheck{SentDiffers, c.difference(speaker, reported, planned)}
}

// difference says what is known of why a router was sent something else.
func (c *Cluster) difference(speaker *v1beta1.Speaker, reported *v1beta1.BGPSession, planned *announce.Session) string {
	encoder, wanted := adjribout.EncoderOf(planned, true), map[lb.Family]int{}
	for i := range planned.Paths {
		if p := &planned.Paths[i]; notSent(encoder, p, reported) == "" {
			wanted[lb.FamilyOf(p.Prefix.Addr())]++
		}
	}
	text := fmt.Sprintf("%d IPv4 and %d IPv6 prefixes were sent, and the objects ask for %d and %d",
		reported.IPv4, reported.IPv6, wanted[lb.IPv4], wanted[lb.IPv6])
	if int(reported.IPv4) == wanted[lb.IPv4] && int(reported.IPv6) == wanted[lb.IPv6] {
		text += ", which are others or have other attributes"
	}
	if reported.Warning != "" {
		text += ": " + reported.Warning
	}
	for _, line := range wrongLines("Speaker", speaker.Status.Conditions) {
		text += "; " + line.Message
	}
	if !c.Settings.Known {
		text += "; that is by the default flags of the programs, since theirs are not seen"
	}
	return text
}

func familiesOf(names []v1beta1.AddressFamily) (families []lb.Family) {
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		if slices.Contains(names, v1beta1.AddressFamily(family.String())) {
			families = append(families, family)
		}
	}
	return families
}

// nextHopsOf a session as its speaker reports them.
func nextHopsOf(reported *v1beta1.BGPSession) adjribout.NextHops {
	return adjribout.NextHops{IPv4: nextHop(reported.NextHops.IPv4), IPv6: nextHop(reported.NextHops.IPv6)}
}

func nextHop(texts []string) (next adjribout.NextHop) {
	for _, text := range texts {
		addr, err := netip.ParseAddr(text)
		switch {
		case err != nil:
		case addr.Is6() && addr.IsLinkLocalUnicast():
			next.LinkLocal = addr
		default:
			next.Addr = addr
		}
	}
	return next
}

// notSent says why a path is not sent on an established session; empty: it is, or that is not known.
func notSent(encoder *adjribout.Encoder, p *announce.Path, reported *v1beta1.BGPSession) string {
	if reported.State != v1beta1.BGPEstablished || reported.Digest == "" {
		return ""
	}
	family, exchanged, hops := lb.FamilyOf(p.Prefix.Addr()), familiesOf(reported.Families), nextHopsOf(reported)
	next := hops.Of(family)
	path, _ := encoder.Path(p.Attributes, family, exchanged, next)
	switch {
	case path != nil:
		return ""
	case !slices.Contains(exchanged, family):
		return family.String() + " not carried"
	case !next.Valid():
		return "no " + family.String() + " next hop"
	}
	return "attributes too long"
}

// routeLines are the routes of a session of a plan, of the families that its BGPPeer asks for, with the next hops that the node
// reports of it.
func (c *Cluster) routeLines(planned *announce.Session, reported *v1beta1.BGPSession) (lines []RouteLine) {
	encoder, next := adjribout.EncoderOf(planned, true), nextHopsOf(reported)
	for i := range planned.Paths {
		p := &planned.Paths[i]
		if !slices.Contains(planned.Families, lb.FamilyOf(p.Prefix.Addr())) {
			continue
		}
		line := RouteLine{
			Prefix: p.Prefix.String(), NextHops: lb.Strings(next.Of(lb.FamilyOf(p.Prefix.Addr())).Addresses()), MED: p.Attributes.MED,
			ASPath: encoder.ASPath(p.Attributes), Communities: lb.Strings(encoder.Communities(p.Attributes)), Weight: p.Attributes.Weight, Services: c.servicesIn(p.Prefix),
			NotSent: notSent(encoder, p, reported),
		}
		if preference, sent := encoder.LocalPref(p.Attributes); sent {
			line.LocalPref = &preference
		}
		lines = append(lines, line)
	}
	return lines
}

// within are the Services that have an address of a prefix.
func (c *Cluster) servicesIn(prefix netip.Prefix) []string {
	length := prefix.Bits()
	if c.within[length] == nil {
		c.within[length] = c.servicesByPrefix(length)
	}
	return c.within[length][prefix]
}

// servicesByPrefix are the Services that have an address of each prefix of a length, in order.
func (c *Cluster) servicesByPrefix(length int) map[netip.Prefix][]string {
	names := map[netip.Prefix][]string{}
	for _, s := range c.ours(false) {
		for _, addr := range s.Ingress {
			if prefix, err := addr.Prefix(length); err == nil && !slices.Contains(names[prefix], s.Key.String()) {
				names[prefix] = append(names[prefix], s.Key.String())
			}
		}
	}
	return names
}
