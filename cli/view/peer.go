package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// PeerExplanation is a BGP peer and the sessions with it.
type PeerExplanation struct {
	PeerLine
	Conditions []ConditionLine `json:"conditions,omitempty"`
	ASNs       string          `json:"asns"`
	BFDProfile string          `json:"bfdProfile,omitempty"`
	// ShutdownMessage that the router is sent when adminState becomes Down.
	ShutdownMessage string         `json:"shutdownMessage,omitempty"`
	Sessions        []PeerNodeLine `json:"sessions,omitempty"`
	// Advertisements that announce to it.
	Advertisements []string `json:"advertisements,omitempty"`
	// Overrides are younger BGPPeers with routers of which it has the sessions, and NotTold the BGPAdvertisements that are for one of
	// these, and not for it, so that their routers are not told of them.
	Overrides []string    `json:"overrides,omitempty"`
	NotTold   []string    `json:"notTold,omitempty"`
	Unseen    []Unseen    `json:"unseen,omitempty"`
	Problems  []Problem   `json:"problems,omitempty"`
	Events    []EventLine `json:"events,omitempty"`
}

// Wrong reports whether it is not as it should be.
func (x *PeerExplanation) Wrong() bool { return len(x.Problems) > 0 }

// PeerLine is a peer in short.
type PeerLine struct {
	Name string `json:"name"`
	// Where the router is: an address, an interface, a gateway.
	Where string `json:"where"`
	// Nodes that should have sessions with it, and how many have all of them, as the controller has written it.
	Nodes       int32 `json:"nodes"`
	Established int32 `json:"established"`
	// AdminState, unless it is Up: an administrator wants no routes or no sessions.
	AdminState v1beta1.AdminState `json:"adminState,omitempty"`
	// Overridden is on how many nodes the older BGPPeers OverriddenBy have the sessions with its routers.
	Overridden   int32    `json:"overridden,omitempty"`
	OverriddenBy []string `json:"overriddenBy,omitempty"`
	// NotAccepted is why the object as it is written does not count. All else here is of what counts in its place.
	NotAccepted string `json:"notAccepted,omitempty"`
}

// PeerNodeLine is what a node has to do with a peer.
type PeerNodeLine struct {
	Node string `json:"node"`
	// Against is why there is no session, or why nothing is announced on it.
	Against  *Answer       `json:"against,omitempty"`
	Sessions []SessionLine `json:"sessions,omitempty"`
}

// ExplainPeer explains a BGPPeer; nil: there is none of the name.
func (c *Cluster) ExplainPeer(name string) *PeerExplanation {
	raw, found := named[*v1beta1.BGPPeer](c, name)
	if !found {
		return nil
	}
	known := c.Parsed.Known()
	p, line := c.peerLine(raw, known)
	x := &PeerExplanation{
		PeerLine: line, Conditions: c.peerConditions(raw),
		ASNs: asns(p), BFDProfile: p.BFDProfile, ShutdownMessage: p.ShutdownMessage, Unseen: c.Unseen,
	}
	x.Advertisements, x.Overrides = c.advertisementsFor(name), c.overrides(name)
	for _, younger := range x.Overrides {
		x.NotTold = append(x.NotTold, c.advertisementsFor(younger, name)...)
	}
	slices.Sort(x.NotTold)
	x.NotTold = slices.Compact(x.NotTold)
	var sessions []Problem
	for _, node := range c.nodeNames() {
		line := c.peerNode(p, node)
		x.Sessions = append(x.Sessions, line)
		sessions = append(sessions, c.sessionProblems(node, line.Sessions, true)...)
	}
	self := subject{kind: "BGPPeer", name: name}
	x.Problems, x.Events = c.problemsAbout(sessions, self), c.eventsOf(self)
	return x
}

// peerLine returns a BGPPeer as it counts: its sessions go on as it was before an edit that is not accepted.
func (c *Cluster) peerLine(raw *v1beta1.BGPPeer, known *lb.Known) (*lb.Peer, PeerLine) {
	written := lb.ParsePeer(raw)
	p := lb.InForce(written, nil).Keeping(known)
	line := PeerLine{Name: p.Name, Where: where(p), Nodes: raw.Status.Nodes, Established: raw.Status.Established}
	overridden := c.overridden(p.Name)
	line.Overridden, line.OverriddenBy = overridden.nodes, overridden.by
	if p != written {
		line.NotAccepted = known.NoNode(written)
		if written.Err != nil {
			line.NotAccepted = strings.ReplaceAll(written.Err.Error(), "\n", "; ")
		}
		line.NotAccepted += fmt.Sprintf("; what it said in generation %d counts until then", p.Generation)
	}
	if p.AdminState != v1beta1.AdminUp {
		line.AdminState = p.AdminState
	}
	return p, line
}

// where a router is, in words.
func where(p *lb.Peer) string {
	switch {
	case p.Address.IsValid():
		return p.Address.String()
	case p.Interface != "":
		return "the other end of " + p.Interface
	case p.NodeAnnotation != "":
		return "what the annotation " + p.NodeAnnotation + " of the node says"
	}
	return "the node's default gateway by " + p.GatewayFamily.String()
}

// routerASN is the router's, or how it is found out.
func routerASN(p *lb.Peer) string {
	if p.PeerASN != 0 {
		return fmt.Sprint(p.PeerASN)
	}
	return string(p.Dynamic)
}

func asns(p *lb.Peer) string {
	ours := p.MyASN
	if p.LocalASN != 0 {
		ours = p.LocalASN
	}
	return fmt.Sprintf("%d here, %s there", ours, routerASN(p))
}

// nodeNames are those of Nodes and Speakers, in order.
func (c *Cluster) nodeNames() (names []string) {
	for _, n := range c.Parsed.Nodes {
		names = append(names, n.Name)
	}
	for _, s := range c.Parsed.Speakers {
		names = append(names, s.Name)
	}
	slices.SortFunc(names, strings.Compare)
	return slices.Compact(names)
}

func (c *Cluster) peerNode(p *lb.Peer, name string) PeerNodeLine {
	line := PeerNodeLine{Node: name}
	speaker := c.speakers[name]
	if speaker != nil {
		line.Sessions = c.checkedSessions(speaker, p.Name)
	}
	i := slices.IndexFunc(c.Parsed.Nodes, func(n *lb.Node) bool { return n.Name == name })
	switch {
	case i >= 0 && !p.NodeSelectors.Match(c.Parsed.Nodes[i].Labels):
		line.Against = &Answer{Reason: "NotSelected", Message: "nodeSelectors of the BGPPeer do not match the node"}
	case speaker == nil:
		line.Against = &Answer{Reason: "SpeakerMissing", Message: "it has no Speaker object", Remedy: "Look at the speaker's Pod on the node."}
	case lb.SpeakerGone(speaker):
		line.Against = &Answer{Reason: v1beta1.ReasonSpeakerGone, Message: "its speaker is gone, and what it said is old", Remedy: "Look at the speaker's Pod on the node."}
	default:
		if why, known := c.Explainer().NodeReason(name); known && why != announce.Eligible {
			line.Against = partOf(why).Against
		}
	}
	return line
}
