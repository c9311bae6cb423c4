package status

import (
	"fmt"
	"net/netip"
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
	// Ingress entries, those that somebody else wrote included.
	Ingress []corev1.LoadBalancerIngress
	// LastAddresses is the value of the annotation daymark.io/last-addresses; HasLast tells an empty value from no annotation.
	LastAddresses string
	HasLast       bool
	// HasPool: the Service has the annotation daymark.io/pool, which earlier versions wrote.
	HasPool bool
	// Finalizer: the Service has the finalizer v1beta1.FinalizerCleanup.
	Finalizer bool
	// Conditions of Daymark's own.
	Conditions []metav1.Condition
}

// ParseService reads what is written in a Service.
func ParseService(from *corev1.Service) Service {
	s := Service{Ingress: from.Status.LoadBalancer.Ingress, Finalizer: slices.Contains(from.Finalizers, v1beta1.FinalizerCleanup)}
	s.LastAddresses, s.HasLast = from.Annotations[v1beta1.AnnotationLastAddresses]
	_, s.HasPool = from.Annotations[v1beta1.AnnotationPool]
	s.Conditions = own(from.Status.Conditions)
	return s
}

// own are the conditions that Daymark writes. When there are no others, as in a cache that keeps no others, it is the same list.
func own(conditions []metav1.Condition) []metav1.Condition {
	foreign := func(c metav1.Condition) bool { return !strings.HasPrefix(c.Type, v1beta1.GroupVersion.Group+"/") }
	if !slices.ContainsFunc(conditions, foreign) {
		return conditions
	}
	return slices.DeleteFunc(slices.Clone(conditions), foreign)
}

// Identical reports whether two share their lists. What is as it should be shares those of what was given, so that most
// Services cost nothing in most passes; what does not may be equal all the same.
func (s *Service) Identical(other *Service) bool {
	return s.sameMetadata(other) && sameList(s.Ingress, other.Ingress) && sameList(s.Conditions, other.Conditions)
}

// Equal reports whether two say the same.
func (s *Service) Equal(other *Service) bool {
	return s.Identical(other) ||
		s.sameMetadata(other) && sameIngress(s.Ingress, other.Ingress) && slices.EqualFunc(s.Conditions, other.Conditions, sameCondition)
}

func (s *Service) sameMetadata(other *Service) bool {
	return s.LastAddresses == other.LastAddresses && s.HasLast == other.HasLast && s.HasPool == other.HasPool && s.Finalizer == other.Finalizer
}

// SameButAnnounced reports whether two differ in nothing but the condition Announced.
func (s *Service) SameButAnnounced(other *Service) bool {
	return s.sameBut(other, v1beta1.ConditionAnnounced)
}

// SameButText reports whether two differ in nothing but the conditions AddressAssigned and Announced, which are for people.
func (s *Service) SameButText(other *Service) bool {
	return s.sameBut(other, v1beta1.ConditionAddressAssigned, v1beta1.ConditionAnnounced)
}

// sameBut reports whether two differ in nothing but conditions of some types.
func (s *Service) sameBut(other *Service, types ...string) bool {
	rest := func(conditions []metav1.Condition) []metav1.Condition {
		return slices.DeleteFunc(slices.Clone(conditions), func(c metav1.Condition) bool { return slices.Contains(types, c.Type) })
	}
	return s.sameMetadata(other) && sameIngress(s.Ingress, other.Ingress) && slices.EqualFunc(rest(s.Conditions), rest(other.Conditions), sameCondition)
}

// SameAddresses reports whether two have the same addresses, of the same pools.
func (s *Service) SameAddresses(other *Service) bool {
	a, b := s.provenance(), other.provenance()
	return (a == b || a != nil && b != nil && sameCondition(*a, *b) || sameAllocations(s, other)) &&
		(sameList(s.Ingress, other.Ingress) || slices.EqualFunc(s.Ingress, other.Ingress, sameAddress))
}

// sameAddress compares two entries without their ports, which are words about the address.
func sameAddress(a, b corev1.LoadBalancerIngress) bool {
	a.Ports, b.Ports = nil, nil
	return equality.Semantic.DeepEqual(a, b)
}

func sameAllocations(s, other *Service) bool {
	return slices.Equal(lb.ParseProvenance(s.Conditions).Allocations, lb.ParseProvenance(other.Conditions).Allocations)
}

func (s *Service) provenance() *metav1.Condition {
	return meta.FindStatusCondition(s.Conditions, v1beta1.ConditionProvenance)
}

func sameIngress(a, b []corev1.LoadBalancerIngress) bool {
	return sameList(a, b) || equality.Semantic.DeepEqual(a, b)
}

func sameCondition(a, b metav1.Condition) bool {
	return a.Type == b.Type && a.Status == b.Status && a.Reason == b.Reason && a.Message == b.Message &&
		a.ObservedGeneration == b.ObservedGeneration && a.LastTransitionTime.Equal(&b.LastTransitionTime)
}

// sameList reports whether two slices are the same memory.
func sameList[E any](a, b []E) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Observed is a Service as it stands in the API server, as far as the controller knows.
type Observed struct {
	*lb.Service
	// Written is what the controller wrote into it.
	Written Service
	// Uncertain: a write whose answer got lost may have put the addresses of Service.Ingress into it. Written is from before.
	Uncertain bool
}

// Settings of an installation that decide what a Service should have.
type Settings struct {
	// Classes of Services that the installation serves.
	Classes lb.Classes
	// Finalizer: a Service with addresses gets the finalizer v1beta1.FinalizerCleanup.
	Finalizer bool
	// Held says who holds an address; nil: that is not known.
	Held Held
}

// Held is how many nodes hold an address by layer 2, if that is known.
type Held func(addr netip.Addr) (holders int, known bool)

// Desired is what a Service of ours should have by its assignment.
func (o *Observed) Desired(a *ipam.Assignment, settings Settings, explainer *announce.Explainer, now time.Time) Service {
	has := &o.Written
	want := *has
	finalizer := settings.Finalizer && len(a.Addresses) > 0
	want.Finalizer = finalizer || has.Finalizer && !o.Provenance.Finalizer // that of others stays
	want.Ingress = ingress(has.Ingress, a)
	want.set(assigned(a), now)
	changed := o.Uncertain || !sameList(want.Ingress, has.Ingress)
	if o.Uncertain || !o.sameProvenance(a, settings, finalizer) {
		want.setProvenance(a, settings, finalizer, now)
		changed = true
	}
	service := o.Service
	if changed {
		service = want.In(o.Service)
	}
	want.set(has.Announced(service, settings.Held, explainer), now)
	// Annotations are written together with addresses, and one that is lost together with conditions: a tool that puts back
	// others, or none, is not fought.
	if len(a.Addresses) > 0 && (changed || !has.HasLast && !sameList(want.Conditions, has.Conditions)) {
		want.LastAddresses, want.HasLast, want.HasPool = lastAddresses(a.Addresses), true, false
	}
	return want
}

// Stays is a Service whose addresses are left as they are for now.
func (o *Observed) Stays(settings Settings, explainer *announce.Explainer, now time.Time) Service {
	stays := o.Written
	stays.set(stays.Announced(o.Service, settings.Held, explainer), now)
	return stays
}

// Contested is a Service that also says that another program writes its addresses.
func (s Service) Contested(message string, now time.Time) Service {
	s.set(Condition{Type: v1beta1.ConditionAddressAssigned, Reason: CompetingWriter, Message: message}, now)
	return s
}

// In is a Service as it reads after s is written into it.
func (s *Service) In(service *lb.Service) *lb.Service {
	changed := *service
	changed.Ingress, changed.Finalizer = nil, s.Finalizer
	for _, entry := range s.Ingress {
		if addr, err := lb.ParseAddr(entry.IP); err == nil {
			changed.Ingress = append(changed.Ingress, addr)
		}
	}
	changed.ReadConditions(s.Conditions)
	return &changed
}

// sameProvenance reports whether the provenance of a Service is that of an assignment.
func (o *Observed) sameProvenance(a *ipam.Assignment, settings Settings, finalizer bool) bool {
	has := &o.Provenance
	ours := has.Class == settings.Classes.Name || settings.Classes.Gave(o.Service)
	return ours && has.Finalizer == finalizer && !has.Withdrawing && has.MissingSince.IsZero() == a.MissingSince.IsZero() &&
		slices.EqualFunc(has.Allocations, a.Addresses, func(x lb.Allocation, y ipam.Address) bool {
			return x == y.Allocation()
		})
}

// setProvenance puts the condition Provenance into the list.
func (s *Service) setProvenance(a *ipam.Assignment, settings Settings, finalizer bool, now time.Time) {
	provenance := lb.Provenance{Class: settings.Classes.Name, Finalizer: finalizer}
	for _, has := range a.Addresses {
		provenance.Allocations = append(provenance.Allocations, has.Allocation())
	}
	c := Condition{Type: v1beta1.ConditionProvenance, True: true, Reason: Allocated, Message: provenance.Message()}
	switch {
	case len(a.Addresses) == 0:
		c.True, c.Reason = false, NotAllocated
	case !a.MissingSince.IsZero():
		c.True, c.Reason = false, PoolMissing
		now = a.MissingSince
	}
	if before := s.provenance(); before != nil && c.Reason.Name == PoolMissing.Name && !before.LastTransitionTime.Time.Equal(now) {
		s.Conditions = slices.Clone(s.Conditions)
		meta.RemoveStatusCondition(&s.Conditions, c.Type) // the time is that of the pool that went last
	}
	s.set(c, now)
}

// lastAddresses are addresses as the annotation has them.
func lastAddresses(addresses []ipam.Address) string {
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.Addr.String()
	}
	return strings.Join(texts, ",")
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

// AwaitsHolder reports whether a Service with these conditions and addresses will be announced when a node reports that it holds one by
// layer 2: the conditions say so, or that another host uses one, which no report does any more.
func AwaitsHolder(conditions []metav1.Condition, addresses []netip.Addr, conflicts map[netip.Addr]announce.Conflict) bool {
	c := meta.FindStatusCondition(conditions, v1beta1.ConditionAnnounced)
	if c == nil || c.Reason != announce.ReasonAddressConflict.Name {
		return c != nil && c.Reason == announce.ReasonNoHolder.Name
	}
	return !slices.ContainsFunc(addresses, func(addr netip.Addr) bool { _, reported := conflicts[addr]; return reported })
}

// Announced is the condition Announced of a Service that has these conditions so far. It becomes True when nodes hold what is announced
// by layer 2 alone, so not before they have probed it, and stays so while an address has no holder for a moment. An address that was left
// to another host is not announced before a node holds it either, although no report has the conflict any more: its holder was restarted
// perhaps, or is another, and has not probed yet.
func (s *Service) Announced(service *lb.Service, held Held, explainer *announce.Explainer) Condition {
	now := Announced(explainer.Explain(service))
	before := meta.FindStatusCondition(s.Conditions, v1beta1.ConditionAnnounced)
	if !now.True || held == nil || before != nil && before.Status == metav1.ConditionTrue {
		return now
	}
	if before != nil && before.Reason == announce.ReasonAddressConflict.Name {
		had := s.In(service).Ingress // It has others perhaps, about which nothing is known.
		left := func(addr netip.Addr) bool { return held.awaits(addr) && slices.Contains(had, addr) }
		if slices.ContainsFunc(explainer.OnSegment(service), left) {
			return Condition{Type: now.Type, Reason: announce.ReasonAddressConflict, Message: before.Message}
		}
	}
	addresses := explainer.OnlyOnSegment(service)
	if i := slices.IndexFunc(addresses, held.awaits); i >= 0 {
		return Condition{
			Type: now.Type, Reason: announce.ReasonNoHolder, Message: fmt.Sprintf("%s: no node has reported yet that it holds it by layer 2", addresses[i]),
		}
	}
	return now
}

// FollowsHolders reports whether Announced of a Service that has these conditions so far depends on who holds its addresses.
func (s *Service) FollowsHolders(service *lb.Service, explainer *announce.Explainer) bool {
	before := meta.FindStatusCondition(s.Conditions, v1beta1.ConditionAnnounced)
	switch {
	case before != nil && before.Status == metav1.ConditionTrue:
		return false
	case before != nil && before.Reason == announce.ReasonAddressConflict.Name && len(explainer.OnSegment(service)) > 0:
		return true
	default:
		return len(explainer.OnlyOnSegment(service)) > 0
	}
}

// awaits reports whether no node holds an address.
func (h Held) awaits(addr netip.Addr) bool {
	holders, known := h(addr)
	return known && holders == 0
}

// Announced is the condition of a Service that an explanation becomes.
func Announced(e announce.Explanation) Condition {
	return Condition{Type: v1beta1.ConditionAnnounced, True: e.Announced, Reason: reason.Reason{Name: e.Reason}, Message: e.Message}
}

// Event is what an Event says about a Service.
type Event struct {
	// Type is Normal or Warning.
	Type, Reason, Message string
}

// maxFolded is how long the message of an Event may be that says two things, in bytes: the API server accepts no more.
const maxFolded = 1024

// Events are what to tell about a change: one Event for each condition whose reason changed, and one for each address that
// the Service lost. Good news of one change are one Event, with the reason of the first: each new Service has an address and is announced, and
// in a storm of them Events are most of what is written.
func Events(before, after *Service, released []ipam.Release) []Event {
	var events []Event
	for _, c := range after.Conditions {
		if c.Type == v1beta1.ConditionProvenance || c.Reason == announce.ReasonNoHolder.Name {
			continue // it is for programs, or passes in a moment
		}
		if has := meta.FindStatusCondition(before.Conditions, c.Type); has != nil && has.Reason == c.Reason {
			continue
		}
		kind := corev1.EventTypeNormal
		if c.Status != metav1.ConditionTrue || c.Reason == announce.ReasonAddressConflict.Name || c.Reason == v1beta1.ReasonPoolMissing {
			kind = corev1.EventTypeWarning
		}
		events = fold(events, Event{kind, c.Reason, c.Message})
	}
	for _, release := range released {
		events = append(events, Event{corev1.EventTypeWarning, AddressWithdrawn.Name, release.String()})
	}
	return events
}

// fold adds an Event, or its reason and words to those of the one before.
func fold(events []Event, e Event) []Event {
	if last := len(events) - 1; last >= 0 && e.Type == corev1.EventTypeNormal && events[last].Type == e.Type {
		if both := events[last].Message + "; " + e.Reason + ": " + e.Message; len(both) <= maxFolded {
			events[last].Message = both
			return events
		}
	}
	return append(events, e)
}
