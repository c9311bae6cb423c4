package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
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
	State string    `json:"state,omitempty"`
	Sent  SentCheck `json:"sent"`
	// OverriddenBy is the BGPPeer that is older and has the session with the router; empty: none is.
	OverriddenBy string `json:"overriddenBy,omitempty"`
	// Prefixes is how many routes there are, and NotSent how many of them an established session does not carry, or that of the older
	// BGPPeer.
	Prefixes int         `json:"prefixes"`
	NotSent  int         `json:"notSent,omitempty"`
	Routes   []RouteLine `json:"routes,omitempty"`
}

// RouteFilter says which routes are wanted; its zero value all of them.
type RouteFilter struct {
	Node, Peer string
	// Service whose routes are wanted, or namespace of Services, and no sessions without one; zero: of all.
	Service   lb.Key
	Namespace string
	// Counted: routes are counted and not listed.
	Counted bool
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
		if filter.Node == "" || filter.Node == node {
			list.Items = append(list.Items, c.sessionRoutes(node, &filter)...)
		}
	}
	return list
}

// sessionRoutes are those of a node that are wanted: of its reported sessions, and of others that it should have.
func (c *Cluster) sessionRoutes(node string, filter *RouteFilter) (list []SessionRoutes) {
	plan := slices.Clone(c.planOf(node))
	add := func(x SessionRoutes, planned *announce.Session, reported *v1beta1.BGPSession) {
		if planned != nil {
			c.addRoutes(&x, planned, reported, filter)
		}
		if filter.Service == (lb.Key{}) && filter.Namespace == "" || x.Prefixes > 0 {
			list = append(list, x)
		}
	}
	speaker := c.speakers[node]
	if speaker != nil {
		for i := range speaker.Status.BGP {
			reported, planned := &speaker.Status.BGP[i], (*announce.Session)(nil)
			if i := plannedFor(plan, reported); i >= 0 {
				session := plan[i]
				planned, plan = &session, slices.Delete(plan, i, i+1)
			}
			if filter.Peer == "" || filter.Peer == reported.Peer {
				x := SessionRoutes{Node: node, Peer: reported.Peer, Address: reported.Address, State: string(reported.State)}
				x.Sent, x.OverriddenBy = c.sent(speaker, reported), cluster.OlderPeer(reported)
				add(x, planned, reported)
			}
		}
	}
	for i := range plan {
		p := &plan[i]
		if filter.Peer != "" && filter.Peer != p.Peer || speaker != nil && (p.FromGateway || len(speaker.Status.BGP) >= v1beta1.SpeakerListLimit) {
			continue
		}
		x := SessionRoutes{Node: node, Peer: p.Peer, Sent: SentCheck{SentUnknown, "the node has no Speaker object"}}
		if speaker != nil {
			x.Sent = SentCheck{SentDiffers, "the node reports no such session"}
		}
		if p.Address.IsValid() {
			x.Address = p.Address.String()
		}
		add(x, p, &v1beta1.BGPSession{})
	}
	slices.SortStableFunc(list, func(a, b SessionRoutes) int {
		return cmp.Or(strings.Compare(a.Peer, b.Peer), strings.Compare(a.Address, b.Address))
	})
	return list
}
