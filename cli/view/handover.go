package view

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Handover is what would become of a Service of another provider if it were Daymark's.
type Handover struct {
	// Keeps: pools adopt all addresses that its status shows. Announced: a node would announce them.
	Keeps, Announced bool
	// Reason of the condition Announced, if it keeps them.
	Reason string
	// Message of that condition, or why it does not keep them.
	Message string
}

// HandedOver computes what would become of some Services if all of them were handed over to Daymark.
func (c *Cluster) HandedOver(keys []lb.Key) map[lb.Key]Handover {
	parsed := *c.Parsed
	parsed.Services = slices.Clone(parsed.Services)
	for i, s := range parsed.Services {
		if slices.Contains(keys, s.Key) {
			given := *s
			given.Provider = v1beta1.ProviderDaymark
			// The label is written with the annotation, and serviceSelectors see it.
			given.Labels = s.Labels.With(v1beta1.AnnotationProvider, v1beta1.ProviderDaymark)
			parsed.Services[i] = &given
		}
	}
	plan := ipam.Compute(parsed.AddressWorld(c.Now, c.Settings.Classes, c.Settings.PoolGrace, ipam.Memory{}))
	outcomes := map[lb.Key]Handover{}
	for i := range plan.Assignments {
		if a := &plan.Assignments[i]; slices.Contains(keys, a.Service.Key) {
			outcomes[a.Service.Key] = c.adopt(a)
			a.Service.Provenance = lb.Provenance{Class: c.Settings.Classes.Name, Allocations: allocations(a)}
		}
	}
	world := parsed.ReportedWorld(c.Settings.Classes, c.Settings.Options)
	explainer := announce.NewExplainer(&world)
	for i := range plan.Assignments {
		s := plan.Assignments[i].Service
		if outcome, asked := outcomes[s.Key]; asked && outcome.Keeps {
			explanation := explainer.Explain(s)
			outcomes[s.Key] = Handover{true, explanation.Announced, explanation.Reason, explanation.Message}
		}
	}
	return outcomes
}

// adopt says whether a Service would keep all addresses that its status shows, and what keeps it from that.
func (c *Cluster) adopt(a *ipam.Assignment) Handover {
	outcome := a.Outcome()
	for _, shown := range a.Service.Ingress {
		kept := slices.ContainsFunc(a.Addresses, func(has ipam.Address) bool { return has.Addr == shown })
		switch {
		case !kept && c.Parsed.Pools.Containing(shown) == nil:
			return Handover{Message: "no pool contains " + shown.String()}
		case !kept:
			return Handover{Message: "it would get other addresses than " + shown.String() + ": " + outcome.Message}
		}
	}
	return Handover{Keeps: true}
}

func allocations(a *ipam.Assignment) (all []lb.Allocation) {
	for i := range a.Addresses {
		all = append(all, a.Addresses[i].Allocation())
	}
	return all
}

// Serving is how far Daymark has come with a Service.
type Serving struct {
	// Ours: Daymark serves it.
	Ours bool
	// Holders of its addresses by layer 2.
	Holders []string
	// Missing says what is missing until Daymark has given and announces all addresses that its status shows; empty: nothing.
	Missing string
}

// Serving says how far Daymark has come with a Service of type LoadBalancer.
func (c *Cluster) Serving(s *lb.Service, raw *corev1.Service) Serving {
	x := Serving{Ours: c.Settings.Classes.Ours(s)}
	x.Holders, _ = c.holdersOf(lb.Strings(s.Ingress))
	condition := meta.FindStatusCondition(raw.Status.Conditions, v1beta1.ConditionAnnounced)
	ungiven := slices.IndexFunc(s.Ingress, func(addr netip.Addr) bool { return s.Provenance.PoolOf(addr) == "" })
	switch {
	case !x.Ours:
		x.Missing = "Daymark does not serve it"
	case ungiven >= 0:
		x.Missing = "no pool has adopted " + s.Ingress[ungiven].String() + notTrue(raw, v1beta1.ConditionAddressAssigned)
	case condition == nil || condition.Status != metav1.ConditionTrue:
		x.Missing = "no node announces it" + notTrue(raw, v1beta1.ConditionAnnounced)
	default:
		x.Missing = c.unheld(s)
	}
	return x
}

// notTrue has the words of a condition that is not True, after a colon.
func notTrue(raw *corev1.Service, kind string) string {
	condition := meta.FindStatusCondition(raw.Status.Conditions, kind)
	if condition == nil || condition.Status == metav1.ConditionTrue {
		return ""
	}
	return ": " + condition.Reason + ": " + condition.Message
}

// unheld says which address of a Service is to be held by layer 2, and nobody holds; empty: none.
func (c *Cluster) unheld(s *lb.Service) string {
	for _, addr := range s.Ingress {
		story := c.story(s, addr)
		byLayer2 := slices.ContainsFunc(story.Nodes, func(n NodeStory) bool { return n.Layer2 != nil })
		holders, known := c.holdersOf([]string{addr.String()})
		if byLayer2 && known && len(holders) == 0 {
			return "no node holds " + addr.String()
		}
	}
	return ""
}
