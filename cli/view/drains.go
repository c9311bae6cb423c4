package view

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// DrainLine is a node that gives its traffic up, as its annotation asks, or that has open connections left to addresses that moved away.
type DrainLine struct {
	Node string `json:"node"`
	// Drained: the annotation asks for it.
	Drained bool `json:"drained,omitempty"`
	// Unheard: it asks for it, and the speaker says that it has not heard of that.
	Unheard bool `json:"unheard,omitempty"`
	// SafeToStop is the condition of its Speaker: no traffic breaks when the node stops. Reason is why, or why not. Without such a condition
	// they are Unknown and empty: no speaker of this version has reported, or it is gone.
	SafeToStop metav1.ConditionStatus `json:"safeToStop"`
	Reason     string                 `json:"reason,omitempty"`
	// Silent is why nothing that is said counts now; empty: it does.
	Silent DrainSilence `json:"silent,omitempty"`
	// Connections that are left, and to how many addresses. They are passed on to the node until then at the latest, as far as is listed.
	Connections int32        `json:"connections,omitempty"`
	Addresses   int32        `json:"addresses,omitempty"`
	Until       *metav1.Time `json:"until,omitempty"`
}

// DrainSilence is why nobody says whether a node may be stopped.
type DrainSilence string

// The reasons for a DrainSilence.
const (
	// SilentNode: there is no such node any more.
	SilentNode DrainSilence = "NoNode"
	// SilentNoSpeaker: no speaker has reported from the node.
	SilentNoSpeaker DrainSilence = "NoSpeaker"
	// SilentSpeakerGone: the speaker is gone.
	SilentSpeakerGone DrainSilence = "SpeakerGone"
	// SilentNotReady: the node is not ready, so that what its speaker says is perhaps old. It is said all the same.
	SilentNotReady DrainSilence = "NodeNotReady"
)

// drainLines are the nodes that are drained or have connections left, in the order of their names.
func (c *Cluster) drainLines() (lines []DrainLine) {
	asked := map[string]*lb.Node{}
	down := map[string]bool{}
	for _, n := range c.Parsed.Nodes {
		down[n.Name] = n.Down
		if n.Draining {
			asked[n.Name] = n
			if c.speakers[n.Name] == nil {
				lines = append(lines, Draining(n.Name, n, nil))
			}
		}
	}
	for _, s := range all[*v1beta1.Speaker](c) {
		if n := asked[s.Name]; n != nil {
			lines = append(lines, Draining(s.Name, n, s))
		} else if s.Status.Draining != nil && !lb.SpeakerGone(s) {
			lines = append(lines, drainLine(s, false, down[s.Name]))
		}
	}
	slices.SortFunc(lines, func(a, b DrainLine) int { return strings.Compare(a.Node, b.Node) })
	return lines
}

// Draining is what a Speaker says of its node, which is drained. Of both nil says that there is none.
func Draining(name string, n *lb.Node, s *v1beta1.Speaker) DrainLine {
	if n != nil && s != nil {
		return drainLine(s, true, n.Down)
	}
	line := DrainLine{Node: name, Drained: true, SafeToStop: metav1.ConditionUnknown, Silent: SilentNoSpeaker}
	if n == nil {
		line.Silent = SilentNode
	}
	return line
}

// drainLine is what a Speaker says of its node, which is asked to be drained, or is down.
func drainLine(s *v1beta1.Speaker, asked, down bool) DrainLine {
	line := DrainLine{Node: s.Name, Drained: asked, SafeToStop: metav1.ConditionUnknown}
	if lb.SpeakerGone(s) {
		line.Silent = SilentSpeakerGone
		return line // What it said is old.
	}
	if down {
		line.Silent = SilentNotReady
	}
	if safe := meta.FindStatusCondition(s.Status.Conditions, v1beta1.ConditionSafeToStop); safe != nil {
		line.SafeToStop, line.Reason = safe.Status, safe.Reason
	}
	if heard := s.Status.Drained; asked && heard != nil && !*heard {
		line.Unheard, line.SafeToStop, line.Reason = true, metav1.ConditionUnknown, ""
	}
	if left := s.Status.Draining; left != nil {
		line.Connections, line.Addresses = left.Connections, left.Addresses
		for i := range left.List {
			if until := &left.List[i].Until; line.Until == nil || line.Until.Before(until) {
				line.Until = until
			}
		}
	}
	return line
}
