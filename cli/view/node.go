package view

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// NodeExplanation is what a node does for Services, and what it does not.
type NodeExplanation struct {
	Node string `json:"node"`
	// Ready: the node is, by its own condition. Remarks are facts about the node that matter, in words.
	Ready   bool     `json:"ready"`
	Remarks []string `json:"remarks,omitempty"`
	// Against is why it announces nothing at all, whichever the address.
	Against *Answer `json:"against,omitempty"`
	// Speaker is what its speaker reports; nil: there is no Speaker object.
	Speaker *SpeakerReport `json:"speaker,omitempty"`
	// Addresses of Services that it announces or may hold.
	Addresses []NodeAddressLine `json:"addresses,omitempty"`
	// Others are the reasons why it announces the other addresses not, and how many have each.
	Others []ReasonCount `json:"others,omitempty"`
	Unseen []Unseen      `json:"unseen,omitempty"`
	// NotComputed says why there are no Addresses and Others.
	NotComputed string      `json:"notComputed,omitempty"`
	Problems    []Problem   `json:"problems,omitempty"`
	Events      []EventLine `json:"events,omitempty"`
}

// Wrong reports whether it is not as it should be, or announces nothing, be it on purpose.
func (x *NodeExplanation) Wrong() bool {
	return len(x.Problems) > 0 || x.Against != nil || x.Speaker == nil
}

// SpeakerReport is a Speaker object.
type SpeakerReport struct {
	Version string `json:"version,omitempty"`
	// GoneSince is when the speaker was found to be gone: all else is old.
	GoneSince  *metav1.Time    `json:"goneSince,omitempty"`
	Members    int32           `json:"members,omitempty"`
	Conditions []ConditionLine `json:"conditions,omitempty"`
	// Held by layer 2: how many, and those that the report lists.
	HeldCount  int32          `json:"heldCount"`
	Held       []HeldLine     `json:"held,omitempty"`
	Sessions   []SessionLine  `json:"sessions,omitempty"`
	Interfaces []string       `json:"interfaces,omitempty"`
	Addresses  []string       `json:"addresses,omitempty"`
	Gateways   []string       `json:"gateways,omitempty"`
	Conflicts  []ConflictLine `json:"conflicts,omitempty"`
	// Draining is what is left of connections to addresses that moved away; nil: nothing.
	Draining *v1beta1.SpeakerDraining `json:"draining,omitempty"`
}

// HeldLine is an address that the node holds by layer 2.
type HeldLine struct {
	Address     string      `json:"address"`
	Interfaces  []string    `json:"interfaces,omitempty"`
	Since       metav1.Time `json:"since"`
	StandsInFor string      `json:"standsInFor,omitempty"`
	Shares      int32       `json:"shares,omitempty"`
	SharedBy    string      `json:"sharedBy,omitempty"`
}

// NodeAddressLine is an address that the node announces or may hold.
type NodeAddressLine struct {
	Address   string `json:"address"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	NodeStory
}

// ReasonCount is a reason against a node, and for how many addresses it is the one nearest to success.
type ReasonCount struct {
	Answer
	Addresses int `json:"addresses"`
}

// ExplainNode explains a node; nil: there is neither a Node nor a Speaker object of the name, as far as is seen.
func (c *Cluster) ExplainNode(name string) *NodeExplanation {
	i := slices.IndexFunc(c.Parsed.Nodes, func(n *lb.Node) bool { return n.Name == name })
	if i < 0 && c.speakers[name] == nil {
		return nil
	}
	x := &NodeExplanation{Node: name, Speaker: c.speakerReport(name), Unseen: c.Unseen}
	if i < 0 {
		x.Remarks = []string{"there is no Node object of this name, or it is not seen"}
	} else {
		x.Ready = !c.Parsed.Nodes[i].Down
		x.Remarks = c.remarks(c.Parsed.Nodes[i])
	}
	var sessions []Problem
	if x.Speaker != nil {
		sessions = c.sessionProblems(name, x.Speaker.Sessions, true)
	}
	x.Problems = c.problemsAbout(sessions, nodeSubject(name))
	x.Events = c.eventsOf(nodeSubject(name), subject{kind: "Speaker", name: name})
	if len(c.Unseen) > 0 {
		x.NotComputed = c.notComputed()
		return x
	}
	if why, known := c.Explainer().NodeReason(name); known && why != announce.Eligible {
		x.Against = partOf(why).Against
	}
	c.addAddresses(x)
	return x
}

// remarks on a node that are no reason against it by themselves.
func (c *Cluster) remarks(n *lb.Node) (texts []string) {
	for _, remark := range []struct {
		so   bool
		text string
	}{
		{n.Down, "it is not ready"},
		{n.Unschedulable, "it is cordoned"},
		{n.NoSpeaker() != "", "no speaker can run there: " + n.NoSpeaker()},
		{n.NoSpeaker() == "" && c.LeftOut(n.Name) != "", "the DaemonSet of the speakers leaves it out: " + c.LeftOut(n.Name)},
	} {
		if remark.so {
			texts = append(texts, remark.text)
		}
	}
	return texts
}

func (c *Cluster) speakerReport(name string) *SpeakerReport {
	s := c.speakers[name]
	if s == nil {
		return nil
	}
	r := &SpeakerReport{
		Version: s.Status.Version, Members: s.Status.Members, Conditions: c.conditionLines("Speaker", s.Status.Conditions),
		HeldCount: s.Status.Layer2.IPv4 + s.Status.Layer2.IPv6, Sessions: c.checkedSessions(s, ""),
		Addresses: s.Status.Network.Addresses, Gateways: s.Status.Network.Gateways, Draining: s.Status.Draining,
	}
	if lb.SpeakerGone(s) {
		r.GoneSince = goneSince(s)
	}
	for _, held := range s.Status.Layer2.Held {
		r.Held = append(r.Held, HeldLine{held.Address, held.Interfaces, held.Since, held.StandsInFor, held.Shares, held.SharedBy})
	}
	for _, i := range s.Status.Network.Interfaces {
		r.Interfaces = append(r.Interfaces, i.Name)
	}
	r.Conflicts = slices.DeleteFunc(c.conflicts(), func(l ConflictLine) bool { return l.Node != name })
	return r
}

// addAddresses adds what the node does for each address of each Service.
func (c *Cluster) addAddresses(x *NodeExplanation) {
	counts := map[string]*ReasonCount{}
	for _, s := range c.announceWorld().Services {
		for _, address := range s.Ingress {
			answers := c.Explainer().Answer(s, address, map[string]bool{x.Node: true})
			var against *Answer
			switch {
			case answers.Against.Name != "":
				against = &Answer{answers.Against.Name, answers.Against.Meaning, answers.Against.Remedy}
			case len(answers.Nodes) == 1:
				story := c.nodeStory(&answers.Nodes[0])
				if against = nearest(&answers.Nodes[0]); against == nil {
					c.holding(&story, address.String(), answers.Shared)
					x.Addresses = append(x.Addresses, NodeAddressLine{address.String(), s.Key.Namespace, s.Key.Name, story})
				}
			}
			if against == nil {
				continue
			}
			if counts[against.Reason] == nil {
				counts[against.Reason] = &ReasonCount{Answer: *against}
			}
			counts[against.Reason].Addresses++
		}
	}
	// order does not matter: the list is sorted
	for _, count := range counts {
		x.Others = append(x.Others, *count)
	}
	slices.SortFunc(x.Others, func(a, b ReasonCount) int { return strings.Compare(a.Reason, b.Reason) })
	slices.SortFunc(x.Addresses, func(a, b NodeAddressLine) int {
		return strings.Compare(a.Namespace+"/"+a.Name+"/"+a.Address, b.Namespace+"/"+b.Name+"/"+b.Address)
	})
}

// nearest is what stands against a node, of both protocols and all peers the reason nearest to success; nil: it announces.
func nearest(n *announce.NodeAnswer) *Answer {
	best := announce.Eligible
	if n.ByLayer2 {
		if n.Layer2 == announce.Eligible {
			return nil
		}
		best = n.Layer2
	}
	for _, peer := range n.Peers {
		if peer.Reason == announce.Eligible {
			return nil
		}
		best = max(best, peer.Reason)
	}
	if best == announce.Eligible {
		return &Answer{Reason: "NoPeer", Message: "there is no BGPPeer to announce it to", Remedy: "Create a BGPPeer."}
	}
	return partOf(best).Against
}
