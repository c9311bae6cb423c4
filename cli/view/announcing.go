package view

import (
	"fmt"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Announcing is what the Speaker objects say of a Service whose addresses are to be announced, each line for one address or session.
type Announcing struct {
	// Told is what is well, Missing what is not, with what to do, and Unknown what cannot be said, with why.
	Told    []string `json:"told,omitempty"`
	Missing []string `json:"missing,omitempty"`
	Unknown []string `json:"unknown,omitempty"`
}

// Announcing says whether each address of a Service has its holder by layer 2, and whether each router that should have a route to it was
// sent just what the objects ask for.
func (c *Cluster) Announcing(key lb.Key) Announcing {
	var x Announcing
	explanation := c.ExplainService(key)
	if explanation == nil {
		x.Unknown = append(x.Unknown, "Service "+key.String()+" is not seen")
		return x
	}
	if explanation.NotComputed != "" {
		x.Unknown = append(x.Unknown, explanation.NotComputed)
	}
	for i := range explanation.Stories {
		x.addHolder(&explanation.Stories[i])
	}
	if explanation.NotComputed != "" {
		return x
	}
	sessions := c.Routes(RouteFilter{Service: key}).Items
	for i := range sessions {
		x.addSession(&sessions[i])
	}
	if len(x.Told)+len(x.Missing)+len(x.Unknown) == 0 {
		x.Unknown = append(x.Unknown, "by the objects that are seen no node is to announce it")
	}
	return x
}

// addHolder by layer 2 of an address.
func (x *Announcing) addHolder(s *AddressStory) {
	holders, may := []string{}, []string{}
	for i := range s.Holders {
		if s.Holders[i].ReportedBefore == nil {
			holders = append(holders, s.Holders[i].Node)
		}
	}
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Layer2 != nil && n.Layer2.Does {
			may = append(may, n.Node)
		}
	}
	switch {
	case Disputed(s.Holders):
		x.Missing = append(x.Missing, fmt.Sprintf("%s each say that they alone hold %s by layer 2: they do not hear each other; kubectl daymark problems says where gossip is blocked",
			strings.Join(holders, " and "), s.Address))
	case len(holders) > 0:
		x.Told = append(x.Told, "held by "+strings.Join(holders, ", "))
	case len(may) == 0: // by BGP alone, or what is there to say is said by the condition
	case len(s.BoundedReports) > 0:
		x.Unknown = append(x.Unknown, fmt.Sprintf("%s hold more addresses than they list, perhaps %s too", strings.Join(s.BoundedReports, ", "), s.Address))
	default:
		x.Missing = append(x.Missing, fmt.Sprintf("no speaker says that it holds %s by layer 2, and %s may: look at the Speaker objects' conditions and the speakers' logs",
			s.Address, strings.Join(may, ", ")))
	}
}

// addSession of a node with a router that should have a route.
func (x *Announcing) addSession(s *SessionRoutes) {
	router := s.Peer
	if s.Address != "" {
		router += " (" + s.Address + ")"
	}
	name := s.Node + " with " + router
	switch s.Sent.Result {
	case SentAgrees:
		if s.NotSent == 0 {
			x.Told = append(x.Told, "sent by "+s.Node+" to "+router)
			return
		}
		why := ""
		for i := range s.Routes {
			if s.Routes[i].NotSent != "" {
				why = s.Routes[i].Prefix + ": " + s.Routes[i].NotSent
			}
		}
		x.Missing = append(x.Missing, "the session of "+name+" does not carry "+why+"; kubectl daymark explain peer "+s.Peer+" says more")
	case SentNothing:
		x.Missing = append(x.Missing, strings.TrimSuffix("the session of "+name+" is not established, but "+s.State+": "+s.Sent.Message, ": ")+
			"; kubectl daymark explain peer "+s.Peer+" says more")
	case SentDiffers:
		x.Missing = append(x.Missing, "on the session of "+name+" something else was sent: "+s.Sent.Message+"; see kubectl daymark routes --peer "+s.Peer)
	case SentOverridden:
		if s.NotSent > 0 { // of what it is sent the session of the older BGPPeer tells
			x.Missing = append(x.Missing, fmt.Sprintf("BGPPeer %s is older than %s and has the session of %s with %s, and is to tell it something else, or nothing: "+
				"kubectl daymark explain peer %s says what to do", s.OverriddenBy, s.Peer, s.Node, s.Address, s.Peer))
		}
	case SentUnknown:
		x.Unknown = append(x.Unknown, "the session of "+name+": "+s.Sent.Message)
	}
}
