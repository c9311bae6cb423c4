package view

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// blocking are reasons of the condition Ready of an advertisement by which nobody announces what it asks for.
var blocking = []string{status.NoNode.Name, status.NoInterface.Name, status.HeldBack.Name}

// advertisement by its kind and name.
type advertisement struct{ kind, name string }

// blocked are the advertisements that are at fault as a whole.
func (c *Cluster) blocked() map[advertisement]bool {
	if c.faulty != nil {
		return c.faulty
	}
	c.faulty = map[advertisement]bool{}
	add := func(kind, name string, conditions []metav1.Condition) {
		ready := meta.FindStatusCondition(conditions, v1beta1.ConditionReady)
		if ready != nil && ready.Status != metav1.ConditionTrue && slices.Contains(blocking, ready.Reason) {
			c.faulty[advertisement{kind, name}] = true
		}
	}
	for _, a := range all[*v1beta1.L2Advertisement](c) {
		add("L2Advertisement", a.Name, a.Status.Conditions)
	}
	for _, a := range all[*v1beta1.BGPAdvertisement](c) {
		add("BGPAdvertisement", a.Name, a.Status.Conditions)
	}
	return c.faulty
}

// faultOf are the advertisements that are the one reason why a speaker is not ready; none: there is another.
func (c *Cluster) faultOf(s *v1beta1.Speaker) []string {
	ready := meta.FindStatusCondition(s.Status.Conditions, v1beta1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != status.Failed.Name {
		return nil
	}
	names := announce.UnheldBy(ready.Message)
	if slices.ContainsFunc(names, func(name string) bool { return !c.blocked()[advertisement{"L2Advertisement", name}] }) {
		return nil
	}
	return names
}

// folded leaves out problems of a kind that follow from an advertisement which is a problem itself: Services that it alone announces, or
// speakers that say that they cannot. The words of that problem count them.
func (c *Cluster) folded(problems []Problem, kind string) (left []Problem) {
	follow := map[advertisement][]subject{}
	worst := map[advertisement]Severity{}
	for i := range problems {
		p := &problems[i]
		var causes []advertisement
		if p.Kind == kind {
			causes = c.causes(p)
		}
		for _, cause := range causes {
			follow[cause], worst[cause] = append(follow[cause], subject{p.Kind, p.Namespace, p.Name}), p.Severity
		}
		if len(causes) == 0 {
			left = append(left, *p)
		}
	}
	for i := range left {
		p := &left[i]
		at := advertisement{p.Kind, p.Name}
		if affected := follow[at]; len(affected) > 0 {
			join := "; because of that "
			if strings.Contains(p.Message, join) {
				join = ", and "
			}
			p.Message += join + counted(affected)
			if worst[at] == Critical {
				p.Severity = Critical
			}
			p.about = slices.Clone(p.about)
			for _, s := range affected {
				p.about = append(p.about, s.orNode())
			}
		}
	}
	return sorted(left)
}

// counted says what follows for some Services or speakers: of Services it names the first.
func counted(affected []subject) string {
	more, first := len(affected)-1, affected[0]
	switch {
	case first.kind == "Speaker" && more == 0:
		return "the speaker of " + first.name + " is not ready"
	case first.kind == "Speaker":
		return fmt.Sprintf("the speakers of %d nodes are not ready", len(affected))
	case more == 0:
		return fmt.Sprintf("Service %s/%s is not announced", first.namespace, first.name)
	}
	return fmt.Sprintf("Service %s/%s and %d more are not announced", first.namespace, first.name, more)
}

// causes of a problem are the advertisements that alone are at fault; none: it stands for itself.
func (c *Cluster) causes(p *Problem) (causes []advertisement) {
	switch {
	case p.Kind == "Speaker" && p.Reason == status.Failed.Name && c.speakers[p.Name] != nil:
		for _, name := range c.faultOf(c.speakers[p.Name]) {
			causes = append(causes, advertisement{"L2Advertisement", name})
		}
	case p.Kind == "Service" && len(c.blocked()) > 0 && len(c.Unseen) == 0:
		if s := c.parsed(lb.Key{Namespace: p.Namespace, Name: p.Name}); s != nil && c.line(s).State == ServiceNotAnnounced {
			return c.causesOf(s)
		}
	}
	return causes
}

// causesOf a Service that is not announced are the advertisements of its addresses, if all of them are at fault.
func (c *Cluster) causesOf(s *lb.Service) (causes []advertisement) {
	nobody := map[string]bool{}
	for _, addr := range s.Ingress {
		answers := c.Explainer().Answer(s, addr, nobody)
		if answers.Against.Name != "" {
			return nil
		}
		for _, a := range answers.Advertisements {
			line := advertisementLine(a, "")
			of := advertisement{line.Kind, line.Name}
			switch {
			case !line.Announces || slices.Contains(causes, of):
			case !c.blocked()[of]:
				return nil
			default:
				causes = append(causes, of)
			}
		}
	}
	return causes
}

// parsed is a Service by its name; nil: there is none.
func (c *Cluster) parsed(key lb.Key) *lb.Service {
	if c.byKey == nil {
		c.byKey = make(map[lb.Key]*lb.Service, len(c.Parsed.Services))
		for _, s := range c.Parsed.Services {
			c.byKey[s.Key] = s
		}
	}
	return c.byKey[key]
}
