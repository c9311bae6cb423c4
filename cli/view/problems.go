package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// Severity of a problem.
type Severity string

// The severities, the worst first.
const (
	// Critical: an address that should be reached is not, or nobody decides.
	Critical Severity = "Critical"
	// Warning: something is not as it should be, and addresses are reached all the same, as far as is known.
	Warning Severity = "Warning"
)

// Problem is something that is not as it should be.
type Problem struct {
	Severity  Severity     `json:"severity"`
	Kind      string       `json:"kind"`
	Namespace string       `json:"namespace,omitempty"`
	Name      string       `json:"name"`
	Reason    string       `json:"reason"`
	Message   string       `json:"message"`
	Since     *metav1.Time `json:"since,omitempty"`
	// Remedy is what can be done, and Command says more of it; empty: nothing does.
	Remedy  string `json:"remedy,omitempty"`
	Command string `json:"command,omitempty"`

	// about others than its object.
	about []subject
}

// ProblemList is all that is not as it should be, the worst first.
type ProblemList struct {
	Items  []Problem `json:"items"`
	Unseen []Unseen  `json:"unseen,omitempty"`
}

// Problems of the cluster, as its objects say.
func (c *Cluster) Problems() ProblemList {
	return ProblemList{Items: c.wanted(sorted(slices.Concat([]Problem{}, c.reported(), c.differing()))), Unseen: c.Unseen}
}

// wanted leaves out problems of Services of other namespaces than Only.
func (c *Cluster) wanted(problems []Problem) []Problem {
	return slices.DeleteFunc(append([]Problem{}, problems...), func(p Problem) bool {
		return p.Kind == "Service" && c.Only != "" && p.Namespace != c.Only
	})
}

// reported are the problems that conditions and reports tell, without anything that has to be computed of all routes; they are made once.
func (c *Cluster) reported() []Problem {
	if c.problems == nil {
		found := slices.Concat(c.programProblems(), c.serviceProblems(), c.speakerProblems(), c.disputes(), c.unheldAddresses(), c.configurationProblems())
		found = countAlike(c.folded(found, "Speaker"))
		c.problems = &found
	}
	return *c.problems
}

// sorted puts the worst first.
func sorted(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(string(a.Severity), string(b.Severity)), strings.Compare(a.Kind, b.Kind),
			strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return problems
}

// serviceProblems are Services of ours that wait, are not announced, or have a condition that warns.
func (c *Cluster) serviceProblems() (found []Problem) {
	for _, s := range c.ours(false) {
		for _, line := range c.conditionLines("Service", c.services[s.Key].Status.Conditions) {
			if !line.Wrong {
				continue
			}
			p := problem(Critical, "Service", s.Key.Name, &line, "explain service "+s.Key.Name+" -n "+s.Key.Namespace)
			p.Namespace = s.Key.Namespace
			if line.Status == metav1.ConditionTrue || c.line(s).State == ServiceKept {
				p.Severity = Warning
			}
			found = append(found, p)
			break // what follows is because of it
		}
	}
	return found
}

// problem that a condition tells.
func problem(severity Severity, kind, name string, line *ConditionLine, command string) Problem {
	p := Problem{
		Severity: severity, Kind: kind, Name: name, Reason: line.Reason, Message: line.Message, Since: &line.Since, Remedy: line.Remedy,
	}
	if command != "" {
		p.Command = "kubectl daymark " + command
	}
	return p
}

// wrongLines are the conditions that say that something is wrong.
func (c *Cluster) wrongLines(kind string, conditions []metav1.Condition) []ConditionLine {
	return wrongOf(c.conditionLines(kind, conditions))
}

func wrongOf(lines []ConditionLine) []ConditionLine {
	return slices.DeleteFunc(lines, func(l ConditionLine) bool { return !l.Wrong })
}

func (c *Cluster) speakerProblems() (found []Problem) {
	for _, s := range all[*v1beta1.Speaker](c) {
		for _, line := range c.wrongLines("Speaker", s.Status.Conditions) {
			found = append(found, problem(Warning, "Speaker", s.Name, &line, "explain node "+s.Name))
		}
		if lb.SpeakerGone(s) {
			continue // what it said of others is old
		}
		for _, conflict := range s.Status.Layer2.Conflicts {
			found = append(found, Problem{
				Severity: Warning, Kind: "Speaker", Name: s.Name, Reason: "AddressConflict", Since: &conflict.Since,
				Message: fmt.Sprintf("%s is used by another host, %s on %s", conflict.Address, conflict.MAC, conflict.Interface),
				Remedy:  remedy("Service", v1beta1.ConditionAnnounced, "AddressConflict"),
				Command: "kubectl daymark explain address " + conflict.Address, about: []subject{addressSubject(conflict.Address)},
			})
		}
		if more := s.Status.Layer2.MoreConflicts; len(more) > 0 {
			found = append(found, Problem{
				Severity: Warning, Kind: "Speaker", Name: s.Name, Reason: "AddressConflict",
				Message: "other hosts use many more addresses: " + firstTexts(more),
				Remedy:  remedy("Service", v1beta1.ConditionAnnounced, "AddressConflict"), Command: "kubectl daymark explain node " + s.Name,
			})
		}
	}
	return append(found, c.missingSpeakers()...)
}

// firstTexts are the first few of a list, and how many more there are.
func firstTexts(list []string) string {
	const limit = 5
	if len(list) <= limit {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:limit], ", "), len(list)-limit)
}

// countAlike leaves the first of the speakers that say the same, of others or of what they cannot announce, and says how many more do: of a node
// that is cut off, and of a fault in an object, all do.
func countAlike(problems []Problem) (left []Problem) {
	say := map[string][]subject{}
	for _, p := range problems {
		alike := p.Kind == "Speaker" && (p.Reason == status.NotAllSeen.Name || p.Reason == status.Failed.Name)
		if alike {
			say[p.Message] = append(say[p.Message], nodeSubject(p.Name))
		}
		if !alike || len(say[p.Message]) == 1 {
			left = append(left, p)
		}
	}
	for i := range left {
		if alike := say[left[i].Message]; len(alike) > 1 && left[i].Kind == "Speaker" {
			left[i].Message += fmt.Sprintf("; so say %d more", len(alike)-1)
			left[i].about = alike
		}
	}
	return left
}

// missingSpeakers are nodes that are ready and have no Speaker object, though one is to run there.
func (c *Cluster) missingSpeakers() (found []Problem) {
	if !c.sees(resourceNodes, resourceSpeakers) || c.noSpeakers() {
		return nil // what is not seen, and what is wrong with all of them, is told already
	}
	for _, n := range c.Parsed.Nodes {
		if c.speakers[n.Name] == nil && !n.Down && n.NoSpeaker() == "" && c.LeftOut(n.Name) == "" {
			found = append(found, Problem{
				Severity: Warning, Kind: "Node", Name: n.Name, Reason: "SpeakerMissing", Message: "the node is ready, and no speaker has reported from it",
				Remedy: "Look at the speaker's Pod on the node; if none is meant to run there, say so by nodeSelector of the speakers.",
			})
		}
	}
	return found
}

// configurationProblems are those that the conditions of what users have written tell.
func (c *Cluster) configurationProblems() (found []Problem) {
	add := func(kind, name, command string, lines []ConditionLine) {
		for _, line := range wrongOf(lines) {
			found = append(found, problem(Warning, kind, name, &line, command))
		}
	}
	for _, o := range all[*v1beta1.IPAddressPool](c) {
		add("IPAddressPool", o.Name, "explain pool "+o.Name, c.poolConditions(o))
	}
	found = append(found, c.peerProblems()...)
	for _, o := range all[*v1beta1.L2Advertisement](c) {
		add("L2Advertisement", o.Name, "", c.conditionLines("L2Advertisement", o.Status.Conditions))
	}
	for _, o := range all[*v1beta1.BGPAdvertisement](c) {
		add("BGPAdvertisement", o.Name, "", c.conditionLines("BGPAdvertisement", o.Status.Conditions))
	}
	for _, o := range all[*v1beta1.IPReservation](c) {
		add("IPReservation", o.Name, "", c.conditionLines("IPReservation", o.Status.Conditions))
	}
	for _, o := range all[*v1beta1.BFDProfile](c) {
		add("BFDProfile", o.Name, "", c.conditionLines("BFDProfile", o.Status.Conditions))
	}
	for _, o := range all[*v1beta1.Community](c) {
		add("Community", o.Name, "", c.conditionLines("Community", o.Status.Conditions))
	}
	return found
}

// peerProblems are those that the conditions of BGPPeers tell. The routers of one that is overridden have their sessions by older ones.
func (c *Cluster) peerProblems() (found []Problem) {
	for _, o := range all[*v1beta1.BGPPeer](c) {
		for _, line := range wrongOf(c.peerConditions(o)) {
			severity := Warning
			if line.Type == v1beta1.ConditionSessionsEstablished && o.Status.Established == 0 && o.Status.Nodes > 0 && !c.overridden(o.Name).alone {
				severity = Critical
			}
			found = append(found, problem(severity, "BGPPeer", o.Name, &line, "explain peer "+o.Name))
		}
	}
	return found
}
