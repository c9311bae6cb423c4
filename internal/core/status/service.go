package status

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// Service is everything of a Service that the controller writes. Do not change the lists of one: others may share them.
type Service struct {
	Ingress []corev1.LoadBalancerIngress
	// Pools is the value of the annotation daymark.io/pool; HasPools tells an empty value from no annotation.
	Pools    string
	HasPools bool
	// Conditions of Daymark's own.
	Conditions []metav1.Condition
}

// ParseService reads what is written in a Service.
func ParseService(from *corev1.Service) Service {
	s := Service{Ingress: from.Status.LoadBalancer.Ingress}
	s.Pools, s.HasPools = from.Annotations[v1beta1.AnnotationPool]
	for _, condition := range from.Status.Conditions {
		if strings.HasPrefix(condition.Type, v1beta1.GroupVersion.Group+"/") {
			s.Conditions = append(s.Conditions, condition)
		}
	}
	return s
}

// Identical reports whether two share their lists. What is as it should be shares those of what was given, so that most
// Services cost nothing in most passes; what does not may be equal all the same.
func (s *Service) Identical(other *Service) bool {
	return s.Pools == other.Pools && s.HasPools == other.HasPools &&
		sameList(s.Ingress, other.Ingress) && sameList(s.Conditions, other.Conditions)
}

// Equal reports whether two say the same.
func (s *Service) Equal(other *Service) bool {
	return s.Identical(other) || s.SameAddresses(other) && equality.Semantic.DeepEqual(s.Conditions, other.Conditions)
}

// SameAddresses reports whether two have the same addresses, of the same pools.
func (s *Service) SameAddresses(other *Service) bool {
	return s.Pools == other.Pools && s.HasPools == other.HasPools &&
		(sameList(s.Ingress, other.Ingress) || equality.Semantic.DeepEqual(s.Ingress, other.Ingress))
}

// sameList reports whether two slices are the same memory.
func sameList[E any](a, b []E) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Marked reports whether Daymark wrote into the Service and has not cleaned up since.
func (s *Service) Marked() bool { return s.HasPools || len(s.Conditions) > 0 }

// Observed is a Service as it stands in the API server, as far as the controller knows.
type Observed struct {
	*lb.Service
	// Written is what the controller wrote into it.
	Written Service
	// Uncertain: a write whose answer got lost may have put the addresses of Service.Ingress into it. Written is from before.
	Uncertain bool
}

// Desired is what a Service of ours should have by its assignment.
func (o *Observed) Desired(a *ipam.Assignment, explainer *announce.Explainer, now time.Time) Service {
	has := &o.Written
	want := Service{Ingress: ingress(has.Ingress, a.Addresses), Pools: poolNames(a.Addresses), Conditions: has.Conditions}
	want.HasPools = want.Pools != ""
	want.set(assigned(a), now)
	service := o.Service
	if o.Uncertain || want.Pools != has.Pools || !sameList(want.Ingress, has.Ingress) {
		service = want.In(o.Service)
	}
	want.set(Announced(explainer.Explain(service)), now)
	return want
}

// CleanedUp is what should remain in a Service that is not ours any more: no condition, no annotation, and none of the
// addresses that were ours.
func (o *Observed) CleanedUp(cleanups []ipam.Cleanup) Service {
	i := slices.IndexFunc(cleanups, func(c ipam.Cleanup) bool { return c.Service == o.Service })
	if i < 0 {
		return Service{Ingress: o.Written.Ingress}
	}
	return Service{Ingress: slices.DeleteFunc(slices.Clone(o.Written.Ingress), func(entry corev1.LoadBalancerIngress) bool {
		addr, err := lb.ParseAddr(entry.IP)
		return err == nil && slices.Contains(cleanups[i].Addresses, addr)
	})}
}

// In is a Service as it reads after s is written into it.
func (s *Service) In(service *lb.Service) *lb.Service {
	changed := *service
	changed.Ingress, changed.Pools = nil, nil
	for _, entry := range s.Ingress {
		if addr, err := lb.ParseAddr(entry.IP); err == nil {
			changed.Ingress = append(changed.Ingress, addr)
		}
	}
	if s.HasPools {
		changed.Pools = strings.Split(s.Pools, ",")
	}
	return &changed
}

// set puts a condition into the list, which stays the same list if it has the condition already. The time of the last
// transition changes with the status.
func (s *Service) set(c Condition, now time.Time) {
	if c.In(s.Conditions, true) {
		return
	}
	s.Conditions = slices.Clone(s.Conditions)
	meta.SetStatusCondition(&s.Conditions, c.At(now))
}

func assigned(a *ipam.Assignment) Condition {
	outcome := a.Outcome()
	return Condition{Type: v1beta1.ConditionAddressAssigned, True: outcome.Assigned, Reason: outcome.Reason, Message: outcome.Message}
}

// Announced is the condition of a Service that an explanation becomes.
func Announced(e announce.Explanation) Condition {
	return Condition{Type: v1beta1.ConditionAnnounced, True: e.Announced, Reason: reason.Reason{Name: e.Reason}, Message: e.Message}
}

// poolNames are the names of the pools of addresses, each once, in order, as the annotation has them.
func poolNames(addresses []ipam.Address) string {
	if len(addresses) == 1 {
		return addresses[0].Pool.Name
	}
	names := make([]string, len(addresses))
	for i, a := range addresses {
		names[i] = a.Pool.Name
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

// ingress is a list of addresses in the form of a Service's status. It returns the list before if that is equal.
func ingress(before []corev1.LoadBalancerIngress, addresses []ipam.Address) []corev1.LoadBalancerIngress {
	same := len(before) == len(addresses)
	for i := 0; same && i < len(addresses); i++ {
		b := &before[i]
		same = b.Hostname == "" && len(b.Ports) == 0 && b.IPMode != nil && *b.IPMode == corev1.LoadBalancerIPModeVIP &&
			b.IP == addresses[i].Addr.String()
	}
	if same {
		return before
	}
	mode := corev1.LoadBalancerIPModeVIP
	list := make([]corev1.LoadBalancerIngress, len(addresses))
	for i, a := range addresses {
		list[i] = corev1.LoadBalancerIngress{IP: a.Addr.String(), IPMode: &mode}
	}
	return list
}

// Event is what an Event says about a Service.
type Event struct {
	// Type is Normal or Warning.
	Type, Reason, Message string
}

// Events are what to tell about a change: one Event for each condition whose reason changed, and one for each address that the
// Service lost.
func Events(before, after *Service, released []ipam.Release) []Event {
	var events []Event
	for _, c := range after.Conditions {
		if has := meta.FindStatusCondition(before.Conditions, c.Type); has != nil && has.Reason == c.Reason {
			continue
		}
		kind := corev1.EventTypeNormal
		if c.Status != metav1.ConditionTrue || c.Reason == announce.ReasonAddressConflict.Name {
			kind = corev1.EventTypeWarning
		}
		events = append(events, Event{kind, c.Reason, c.Message})
	}
	for _, release := range released {
		events = append(events, Event{corev1.EventTypeWarning, AddressWithdrawn.Name, release.String()})
	}
	return events
}
