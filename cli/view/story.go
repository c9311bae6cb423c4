package view

import (
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// AddressStory is the way of one address of a Service onto the wire.
type AddressStory struct {
	Address string `json:"address"`
	Pool    string `json:"pool,omitempty"`
	// Against is what stands against it, whichever node is asked.
	Against *Answer `json:"against,omitempty"`
	// Advertisements of both protocols.
	Advertisements []AdvertisementLine `json:"advertisements,omitempty"`
	Nodes          []NodeStory         `json:"nodes,omitempty"`
	// Holders by layer 2, as the speakers report. BoundedReports are nodes that hold more addresses than they list: one of them may
	// hold it when nobody else does.
	Holders        []Holder `json:"holders,omitempty"`
	BoundedReports []string `json:"boundedReports,omitempty"`
	// Unheld: one node is to hold it by layer 2, and none says that it does.
	Unheld bool `json:"unheld,omitempty"`
	// Cuts say in words which of the holders are cut off from others, and where they stand in.
	Cuts []string `json:"cuts,omitempty"`
}

// Answer is a reason against something.
type Answer struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// AdvertisementLine says whether an advertisement announces an address, and if not why.
type AdvertisementLine struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Announces bool   `json:"announces"`
	Why       string `json:"why,omitempty"`
}

// NodeStory is what a node has to do with an address.
type NodeStory struct {
	Node string `json:"node"`
	// Layer2 is whether the node may hold it; nil: no L2Advertisement announces the address.
	Layer2 *Part `json:"layer2,omitempty"`
	// Nearness is what it has of the endpoints, if that counts where weights and loads are equal.
	Nearness string `json:"nearness,omitempty"`
	// Holds it now, by its own report. PerhapsHolds: the node holds more addresses than its report names, and no report names this one.
	Holds        bool `json:"holds,omitempty"`
	PerhapsHolds bool `json:"perhapsHolds,omitempty"`
	// Shared: the address is one of which several nodes each answer some clients; Shares, of shares.Count, are those of this node now.
	Shared bool        `json:"shared,omitempty"`
	Shares int32       `json:"shares,omitempty"`
	Peers  []PeerStory `json:"peers,omitempty"`
}

// Part is whether a node does its part, and what stands against it.
type Part struct {
	Does    bool    `json:"does"`
	Against *Answer `json:"against,omitempty"`
}

// PeerStory is what a node tells one router.
type PeerStory struct {
	Peer string `json:"peer"`
	Part
	Sessions []SessionLine `json:"sessions,omitempty"`
}

// SessionLine is a BGP session as the speaker reports it.
type SessionLine struct {
	Peer    string      `json:"peer"`
	Address string      `json:"address,omitempty"`
	State   string      `json:"state"`
	Since   metav1.Time `json:"since"`
	// IPv4 and IPv6 are how many prefixes the router was told.
	IPv4      int32  `json:"ipv4"`
	IPv6      int32  `json:"ipv6"`
	LastError string `json:"lastError,omitempty"`
	Warning   string `json:"warning,omitempty"`
	BFD       string `json:"bfd,omitempty"`
	// OverriddenBy is the BGPPeer that is older and has the session with the router; empty: none is.
	OverriddenBy string `json:"overriddenBy,omitempty"`
	// Sent says whether the router was sent the routes that the objects ask for.
	Sent *SentCheck `json:"sent,omitempty"`
}

// story of an address in the status of a Service.
func (c *Cluster) story(s *lb.Service, address netip.Addr) AddressStory {
	answers := c.Explainer().Answer(s, address, nil)
	x := AddressStory{Address: address.String(), Pool: s.Provenance.PoolOf(address), Holders: c.holdersByAddress()[address.String()]}
	x.Cuts, x.Unheld = c.cutsOf(x.Holders), slices.Contains(c.unheldOf(s), address)
	if answers.Pool != nil {
		x.Pool = answers.Pool.Name
	}
	if answers.Against.Name != "" {
		x.Against = &Answer{answers.Against.Name, answers.Message, answers.Against.Remedy}
	}
	for _, a := range answers.Advertisements {
		x.Advertisements = append(x.Advertisements, advertisementLine(a, x.Pool))
	}
	layer2 := false
	for i := range answers.Nodes {
		node := c.nodeStory(&answers.Nodes[i])
		c.holding(&node, x.Address, answers.Shared)
		layer2 = layer2 || node.Layer2 != nil
		x.Nodes = append(x.Nodes, node)
	}
	if len(x.Holders) == 0 && layer2 {
		x.BoundedReports = c.bounded()
	}
	return x
}

func advertisementLine(a announce.AdvertisementAnswer, pool string) AdvertisementLine {
	line := AdvertisementLine{Kind: "L2Advertisement", Name: a.Name, Announces: a.Announces()}
	if a.BGP {
		line.Kind = "BGPAdvertisement"
	}
	var why []string
	if !a.Pool && pool != "" {
		why = append(why, "it does not select pool "+pool)
	} else if !a.Pool {
		why = append(why, "the address is of no pool")
	}
	if !a.Service {
		why = append(why, "its serviceSelectors do not match the Service")
	}
	line.Why = strings.Join(why, ", and ")
	return line
}

// holding says whether a node holds an address by its own report, and how much of it.
func (c *Cluster) holding(node *NodeStory, address string, shared bool) {
	if node.Layer2 == nil {
		return
	}
	node.Shared = shared
	holders := c.holdersByAddress()[address]
	if i := slices.IndexFunc(holders, func(h Holder) bool { return h.Node == node.Node && h.ReportedBefore == nil }); i >= 0 {
		node.Shares = holders[i].Shares
		node.Holds = !holders[i].Shared() || holders[i].SharedBy == node.Node
	}
	node.PerhapsHolds = len(holders) == 0 && slices.Contains(c.bounded(), node.Node)
}

func (c *Cluster) nodeStory(n *announce.NodeAnswer) NodeStory {
	x := NodeStory{Node: n.Node}
	if n.ByLayer2 {
		part := partOf(n.Layer2)
		x.Layer2, x.Nearness = &part, n.Nearness
	}
	for _, p := range n.Peers {
		peer := PeerStory{Peer: p.Peer, Part: partOf(p.Reason)}
		if speaker := c.speakers[n.Node]; speaker != nil {
			peer.Sessions = c.checkedSessions(speaker, p.Peer)
		}
		x.Peers = append(x.Peers, peer)
	}
	return x
}

func partOf(why announce.IneligibleReason) Part {
	if why == announce.Eligible {
		return Part{Does: true}
	}
	r := why.Reason()
	return Part{Against: &Answer{r.Name, r.Meaning, r.Remedy}}
}

// checkedSessions of a speaker with a peer, or with all, compared with what the objects ask for.
func (c *Cluster) checkedSessions(s *v1beta1.Speaker, peer string) []SessionLine {
	lines, reported := sessionsOf(s, peer), s.Status.BGP
	for i := range lines {
		at := slices.IndexFunc(reported, func(b v1beta1.BGPSession) bool { return b.Peer == lines[i].Peer && b.Address == lines[i].Address })
		sent := c.sent(s, &reported[at])
		lines[i].Sent = &sent
	}
	return lines
}

// sessionsOf a speaker with a peer; empty: with all.
func sessionsOf(s *v1beta1.Speaker, peer string) (lines []SessionLine) {
	for i := range s.Status.BGP {
		b := &s.Status.BGP[i]
		if peer == "" || b.Peer == peer {
			lines = append(lines, SessionLine{b.Peer, b.Address, string(b.State), b.Since, b.IPv4, b.IPv6, b.LastError, b.Warning, b.BFD, cluster.OlderPeer(b), nil})
		}
	}
	return lines
}
