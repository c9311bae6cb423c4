package view

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Network is who announces to whom: the routers, and the nodes with what they hold and tell.
type Network struct {
	// Layer2: addresses are announced to the nodes' own segment.
	Layer2  bool         `json:"layer2"`
	Routers []RouterLine `json:"routers,omitempty"`
	Nodes   []NodeLine   `json:"nodes,omitempty"`
}

// RouterLine is a BGPPeer in short.
type RouterLine struct {
	PeerLine
	// ASN of the router, in words where it is learnt.
	ASN string `json:"asn"`
	// Wrong: a condition says that something is not as it should be.
	Wrong bool `json:"wrong,omitempty"`
	// BFD watches the sessions. BFDUp is how many of the sessions it says are up.
	BFD   bool `json:"bfd,omitempty"`
	BFDUp int  `json:"bfdUp,omitempty"`
}

// NodeState is how a node and its speaker are.
type NodeState string

// The states of a node.
const (
	NodeReady NodeState = "Ready"
	// NodeNotReady: the node is not.
	NodeNotReady NodeState = "NotReady"
	// NodeComplains: a condition of its speaker says that something is wrong.
	NodeComplains NodeState = "Complains"
	// NodeGone: its speaker is gone.
	NodeGone NodeState = "SpeakerGone"
	// NodeSilent: there is no Speaker object, or it is not seen.
	NodeSilent NodeState = "NoSpeaker"
)

// NodeLine is a node in short.
type NodeLine struct {
	Node  string    `json:"node"`
	State NodeState `json:"state"`
	// Reason of the condition that decides the state, and since when.
	Reason string       `json:"reason,omitempty"`
	Since  *metav1.Time `json:"since,omitempty"`
	// Held is how many addresses it holds by layer 2; Held of a speaker that is gone is what it said last.
	Held     int32         `json:"held"`
	Sessions []SessionLine `json:"sessions,omitempty"`
}

// Told is how many prefixes it has told the router that it has told most.
func (l *NodeLine) Told() (most int32) {
	for i := range l.Sessions {
		most = max(most, l.Sessions[i].IPv4+l.Sessions[i].IPv6)
	}
	return most
}

// Network of the cluster.
func (c *Cluster) Network() Network {
	n := Network{Layer2: len(c.Parsed.L2Advertisements) > 0}
	for _, name := range c.nodeNames() {
		line := c.nodeLine(name)
		n.Layer2 = n.Layer2 || line.Held > 0
		n.Nodes = append(n.Nodes, line)
	}
	known := c.Parsed.Known()
	for _, raw := range all[*v1beta1.BGPPeer](c) {
		n.Routers = append(n.Routers, c.routerLine(raw, known, n.Nodes))
	}
	return n
}

func (c *Cluster) routerLine(raw *v1beta1.BGPPeer, known *lb.Known, nodes []NodeLine) RouterLine {
	p, peer := c.peerLine(raw, known)
	line := RouterLine{
		PeerLine: peer, ASN: routerASN(p), BFD: p.BFDProfile != "",
		Wrong: len(c.wrongLines("BGPPeer", raw.Status.Conditions)) > 0,
	}
	for i := range nodes {
		for _, s := range nodes[i].Sessions {
			if s.Peer == raw.Name && strings.HasPrefix(s.BFD, "Up") && nodes[i].State != NodeGone {
				line.BFDUp++
			}
		}
	}
	return line
}

func (c *Cluster) nodeLine(name string) NodeLine {
	line := NodeLine{Node: name, State: NodeSilent}
	i := slices.IndexFunc(c.Parsed.Nodes, func(n *lb.Node) bool { return n.Name == name })
	if s := c.speakers[name]; s != nil {
		line.State, line.Held, line.Sessions = NodeReady, s.Status.Layer2.IPv4+s.Status.Layer2.IPv6, sessionsOf(s, "")
		if wrong := c.wrongLines("Speaker", s.Status.Conditions); len(wrong) > 0 {
			line.State, line.Reason, line.Since = NodeComplains, wrong[0].Reason, &wrong[0].Since
		}
		if lb.SpeakerGone(s) {
			line.State = NodeGone
		}
	}
	if i >= 0 && c.Parsed.Nodes[i].Down && line.State != NodeGone {
		line.State, line.Reason, line.Since = NodeNotReady, "", nil
	}
	return line
}
