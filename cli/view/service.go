package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// ServiceExplanation is the whole way of a Service from its request to the wire.
type ServiceExplanation struct {
	ServiceLine
	Conditions []ConditionLine `json:"conditions,omitempty"`
	Request    Request         `json:"request"`
	// PoolAnswers are what every pool says to it, in the order in which they are asked.
	PoolAnswers []PoolAnswer   `json:"poolAnswers,omitempty"`
	Stories     []AddressStory `json:"stories,omitempty"`
	// Preference of nodes for session affinity.
	Preference []string `json:"preference,omitempty"`
	// Weights of nodes for the routers.
	Weights []string `json:"weights,omitempty"`
	// Unsent are the attributes of advertisements that are not sent to some routers.
	Unsent    []string       `json:"unsent,omitempty"`
	Endpoints []EndpointLine `json:"endpoints,omitempty"`
	// Differences between what is written and what the objects as they are now ask for.
	Differences []string    `json:"differences,omitempty"`
	Events      []EventLine `json:"events,omitempty"`
	// NotComputed says why there is nothing of what the objects ask for.
	NotComputed string    `json:"notComputed,omitempty"`
	Unseen      []Unseen  `json:"unseen,omitempty"`
	Problems    []Problem `json:"problems,omitempty"`
}

// Wrong reports whether it is not as it should be: something is named by Problems, or the controller has not written to it.
func (x *ServiceExplanation) Wrong() bool { return len(x.Problems) > 0 || x.State == ServiceUnknown }

// Request is what a Service asks for.
type Request struct {
	// ServedBy says in words whose the Service is.
	ServedBy        string   `json:"servedBy"`
	Ours            bool     `json:"ours"`
	Families        []string `json:"families,omitempty"`
	FamilyPolicy    string   `json:"familyPolicy,omitempty"`
	Addresses       []string `json:"addresses,omitempty"`
	Pools           []string `json:"pools,omitempty"`
	SharingKey      string   `json:"sharingKey,omitempty"`
	TrafficPolicy   string   `json:"trafficPolicy"`
	SessionAffinity string   `json:"sessionAffinity,omitempty"`
	HealthCheckPort int32    `json:"healthCheckPort,omitempty"`
	Ports           []string `json:"ports,omitempty"`
	// Error says what cannot be understood of it.
	Error string `json:"error,omitempty"`
}

// PoolAnswer is what a pool says to a Service for one family.
type PoolAnswer struct {
	Pool   string   `json:"pool"`
	Family string   `json:"family"`
	Gave   []string `json:"gave,omitempty"`
	// Reason why it gives none, and Message in words that follow its name; Reason is Allowed when it gives one.
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// EndpointLine is an endpoint of a Service.
type EndpointLine struct {
	Address string `json:"address"`
	Node    string `json:"node,omitempty"`
	State   string `json:"state"`
}

// EventLine is an Event about an object.
type EventLine struct {
	Time    metav1.Time `json:"time"`
	Type    string      `json:"type"`
	Reason  string      `json:"reason"`
	Note    string      `json:"note"`
	Count   int32       `json:"count,omitempty"`
	Program string      `json:"program,omitempty"`
}

// ExplainService explains a Service of type LoadBalancer; nil: there is none.
func (c *Cluster) ExplainService(key lb.Key) *ServiceExplanation {
	raw := c.services[key]
	i := slices.IndexFunc(c.Parsed.Services, func(s *lb.Service) bool { return s.Key == key })
	if raw == nil || raw.Spec.Type != corev1.ServiceTypeLoadBalancer || i < 0 {
		return nil
	}
	s := c.Parsed.Services[i]
	x := &ServiceExplanation{
		ServiceLine: c.line(s), Conditions: c.conditionLines("Service", raw.Status.Conditions), Request: c.request(s, raw),
		Endpoints: c.endpointsOf(key), Events: c.eventsOf(serviceSubject(key)), Unseen: c.Unseen,
	}
	if len(c.Unseen) > 0 {
		x.NotComputed = c.notComputed()
		for _, addr := range s.Ingress {
			x.Stories = append(x.Stories, AddressStory{Address: addr.String(), Pool: s.Provenance.PoolOf(addr), Holders: c.holdersByAddress()[addr.String()]})
		}
	} else if x.Request.Ours {
		for _, addr := range s.Ingress {
			x.Stories = append(x.Stories, c.story(s, addr))
		}
		c.compute(x, s, raw)
	}
	if x.Request.Ours {
		x.Problems = c.problemsAbout(c.storyProblems(x.Stories...), subjectsOf(s)...)
	}
	return x
}

func (c *Cluster) notComputed() string {
	return "that depends on " + c.Unseen[0].Resource + more(len(c.Unseen)-1) + ", and not all of them are seen"
}

// more says how many others there are.
func more(kinds int) string {
	switch kinds {
	case 0:
		return ""
	case 1:
		return " and objects of 1 other kind"
	}
	return fmt.Sprintf(" and objects of %d other kinds", kinds)
}

// compute what the objects ask for, and the difference from what is written.
func (c *Cluster) compute(x *ServiceExplanation, s *lb.Service, raw *corev1.Service) {
	world := c.Parsed.AddressWorld(c.Now, c.Settings.Classes, c.Settings.PoolGrace, ipam.Memory{})
	assignment, answers, found := ipam.Consider(world, s.Key)
	if !found {
		return
	}
	for i := range answers {
		x.PoolAnswers = append(x.PoolAnswers, poolAnswer(&answers[i]))
	}
	if meta.FindStatusCondition(raw.Status.Conditions, v1beta1.ConditionAddressAssigned) != nil {
		outcome := assignment.Outcome()
		x.differ(raw, status.Condition{
			Type: v1beta1.ConditionAddressAssigned, True: outcome.Assigned, Reason: outcome.Reason, Message: outcome.Message,
		}, c)
	}
	if meta.FindStatusCondition(raw.Status.Conditions, v1beta1.ConditionAnnounced) != nil {
		written := status.ParseService(raw)
		x.differ(raw, written.Announced(s, c.reportedHoldings().Of, c.Explainer()), c)
	}
	x.Preference, x.Weights, x.Unsent = c.Explainer().Preference(s), c.Explainer().Weights(s), c.Explainer().Unsent(s)
}

// differ notes what a condition would say now, if that is something else.
func (x *ServiceExplanation) differ(raw *corev1.Service, now status.Condition, c *Cluster) {
	if now.In(raw.Status.Conditions, true) {
		return
	}
	written, flags := now.At(c.Now), "the flags of the controller"
	if !c.Settings.Known {
		flags = "the default flags of the programs"
	}
	x.Differences = append(x.Differences, fmt.Sprintf("by the objects as they are now, and %s: %s %s, %s: %s",
		flags, written.Type, written.Status, written.Reason, written.Message))
}

func poolAnswer(a *ipam.Answer) PoolAnswer {
	answer := PoolAnswer{Pool: a.Pool, Family: a.Family.String(), Gave: lb.Strings(a.Given), Reason: a.Cause.String(), Message: a.Text}
	switch {
	case len(a.Given) > 0 && a.Cause == ipam.Allowed || len(a.Given) > 0 && a.Cause == ipam.Exhausted:
		answer.Reason, answer.Message = ipam.Allowed.String(), "gave "+strings.Join(answer.Gave, ", ")
	case len(a.Given) > 0:
		answer.Message = "gave " + strings.Join(answer.Gave, ", ") + ", and " + a.Text
	case a.Cause == ipam.Allowed:
		answer.Message = "would give an " + answer.Family + " address"
	}
	return answer
}

func (c *Cluster) request(s *lb.Service, raw *corev1.Service) Request {
	r := Request{
		Ours: c.Settings.Classes.Ours(s), Addresses: lb.Strings(s.Requested), Pools: s.RequestedPools, SharingKey: s.SharingKey,
		TrafficPolicy: string(corev1.ServiceExternalTrafficPolicyCluster), HealthCheckPort: raw.Spec.HealthCheckNodePort,
		Families: lb.Strings(s.Families), Ports: lb.Strings(s.Ports),
	}
	r.ServedBy = c.servedBy(s, r.Ours)
	if s.Local {
		r.TrafficPolicy = string(corev1.ServiceExternalTrafficPolicyLocal)
	}
	if s.Affinity {
		r.SessionAffinity = string(corev1.ServiceAffinityClientIP)
	}
	if raw.Spec.IPFamilyPolicy != nil {
		r.FamilyPolicy = string(*raw.Spec.IPFamilyPolicy)
	}
	if s.RequestError != nil {
		r.Error = s.RequestError.Error()
	}
	return r
}

// servedBy says whose a Service is, and by what.
func (c *Cluster) servedBy(s *lb.Service, ours bool) string {
	by := "it has no class"
	switch {
	case s.HandedOver():
		by = "the annotation " + v1beta1.AnnotationProvider + " names " + s.Provider
	case s.Class != "":
		by = "its class is " + s.Class
	case !c.Settings.Classes.Classless && !ours:
		by += ", and Services without one are not served (--serve-classless=false)"
	}
	if ours {
		return "Daymark: " + by
	}
	return "another provider: " + by
}

func (c *Cluster) endpointsOf(key lb.Key) (lines []EndpointLine) {
	for _, slice := range c.slices[key] {
		for i := range slice.Endpoints {
			endpoint := &slice.Endpoints[i]
			line := EndpointLine{Address: strings.Join(endpoint.Addresses[:min(1, len(endpoint.Addresses))], ""), State: "ready"}
			if endpoint.NodeName != nil {
				line.Node = *endpoint.NodeName
			}
			if ready := endpoint.Conditions.Ready; ready != nil && !*ready {
				line.State = "not ready"
			}
			if terminating := endpoint.Conditions.Terminating; terminating != nil && *terminating {
				line.State = "terminating"
			}
			lines = append(lines, line)
		}
	}
	slices.SortFunc(lines, func(a, b EndpointLine) int {
		return strings.Compare(a.Node+" "+a.Address, b.Node+" "+b.Address)
	})
	return lines
}

// mostEvents is how many Events an explanation has.
const mostEvents = 10

// eventsOf some objects, the newest first.
func (c *Cluster) eventsOf(subjects ...subject) (lines []EventLine) {
	for _, e := range c.events {
		if slices.Contains(subjects, subject{e.Regarding.Kind, e.Regarding.Namespace, e.Regarding.Name}) {
			lines = append(lines, eventLine(e))
		}
	}
	slices.SortStableFunc(lines, func(a, b EventLine) int { return b.Time.Compare(a.Time.Time) })
	return lines[:min(len(lines), mostEvents)]
}

func eventLine(e *eventsv1.Event) EventLine {
	line := EventLine{Time: metav1.NewTime(e.EventTime.Time), Type: e.Type, Reason: e.Reason, Note: e.Note, Program: e.ReportingController}
	switch {
	case e.Series != nil:
		line.Count, line.Time = e.Series.Count, metav1.NewTime(e.Series.LastObservedTime.Time)
	case e.EventTime.IsZero():
		line.Time = e.DeprecatedLastTimestamp
	}
	return line
}

// EventsBefore a time about Services, the newest first, in the form of changes: what happened before anybody compared two looks.
func (c *Cluster) EventsBefore(t time.Time) (changes []Change) {
	for _, e := range c.events {
		line := eventLine(e)
		if e.Regarding.Kind != "Service" || line.Time.After(t) {
			continue
		}
		name := e.Regarding.Namespace + "/" + e.Regarding.Name
		changes = append(changes, Change{
			Time: line.Time, Kind: ChangedService, Object: name, Service: name, Wrong: line.Type == corev1.EventTypeWarning,
			Message: name + ": " + line.Reason + ": " + line.Note,
		})
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return b.Time.Compare(a.Time.Time) })
	return changes
}
