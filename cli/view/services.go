package view

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// ServiceList is all Services of type LoadBalancer.
type ServiceList struct {
	Items  []ServiceLine `json:"items"`
	Unseen []Unseen      `json:"unseen,omitempty"`
}

// ServiceState is how far a Service has come, as the controller has written it, and as the speakers' reports deny it.
type ServiceState string

// The states of a Service.
const (
	// ServiceAnnounced: it has what it asks for, and at least one node announces it.
	ServiceAnnounced ServiceState = "Announced"
	// ServiceWaiting: it does not have all addresses that it asks for, and none of ours that is announced meanwhile.
	ServiceWaiting ServiceState = "Waiting"
	// ServiceKept: it keeps addresses that are announced until it can have those that it asks for.
	ServiceKept ServiceState = "Kept"
	// ServiceNotAnnounced: it has its addresses, and no node announces them.
	ServiceNotAnnounced ServiceState = "NotAnnounced"
	// ServiceUnknown: the controller has not written to it.
	ServiceUnknown ServiceState = "Unknown"
	// ServiceOther: it is of another class or provider.
	ServiceOther ServiceState = "OtherProvider"
)

// ServiceLine is a Service in short.
type ServiceLine struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Class     string   `json:"class,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Pools     []string `json:"pools,omitempty"`
	// Holders are the nodes that hold an address by layer 2. HoldersKnown is false when that cannot be seen, or only in part.
	Holders      []string     `json:"holders,omitempty"`
	HoldersKnown bool         `json:"holdersKnown"`
	State        ServiceState `json:"state"`
	// Reason and Message of the condition that decides the state, or that of reasonUnheld.
	Reason  string       `json:"reason,omitempty"`
	Message string       `json:"message,omitempty"`
	Since   *metav1.Time `json:"since,omitempty"`
}

// Services of type LoadBalancer, of all classes, in order of namespace and name.
func (c *Cluster) Services() ServiceList {
	list := ServiceList{Items: []ServiceLine{}, Unseen: c.Unseen}
	for _, s := range c.ours(true) {
		list.Items = append(list.Items, c.line(s))
	}
	return list
}

// line of a Service, which is made once.
func (c *Cluster) line(s *lb.Service) ServiceLine {
	line, made := c.lines[s.Key]
	if !made {
		line = c.makeLine(s)
		c.lines[s.Key] = line
	}
	return line
}

func (c *Cluster) makeLine(s *lb.Service) ServiceLine {
	raw := c.services[s.Key]
	line := ServiceLine{
		Namespace: s.Key.Namespace, Name: s.Key.Name, Class: s.Class, Addresses: ingress(raw), Pools: poolsOf(s),
	}
	line.Holders, line.HoldersKnown = c.holdersOf(line.Addresses)
	if announced := meta.FindStatusCondition(raw.Status.Conditions, v1beta1.ConditionAnnounced); len(line.Holders) == 0 && announced != nil {
		// What is announced by BGP alone has no holder, whatever a report has no room for.
		line.HoldersKnown = line.HoldersKnown || announced.Status == metav1.ConditionTrue && !announce.SaysLayer2(announced.Message)
	}
	line.State = ServiceUnknown
	if !c.Settings.Classes.Ours(s) {
		line.State = ServiceOther
	}
	for _, kind := range []string{v1beta1.ConditionAddressAssigned, v1beta1.ConditionAnnounced} {
		condition := meta.FindStatusCondition(raw.Status.Conditions, kind)
		if condition == nil {
			continue
		}
		line.Reason, line.Message, line.Since = condition.Reason, condition.Message, &condition.LastTransitionTime
		line.State = stateOf(condition)
		if condition.Status != metav1.ConditionTrue {
			break
		}
	}
	if c.isDenied(&line) {
		line.State, line.Reason, line.Since = ServiceNotAnnounced, reasonUnheld, nil
		line.Message = fmt.Sprintf("no node says that it holds %s, which one is to do by layer 2", strings.Join(line.Addresses, " or "))
	}
	if line.State == ServiceWaiting && keeps(s) && meta.IsStatusConditionTrue(raw.Status.Conditions, v1beta1.ConditionAnnounced) {
		line.State = ServiceKept
	}
	return line
}

// isDenied reports whether a Service is said to be announced, by layer 2 alone, and no report names a node that holds any of its addresses.
// Nothing is denied for as long as the change that made it so may not have been reported.
func (c *Cluster) isDenied(line *ServiceLine) bool {
	return line.State == ServiceAnnounced && announce.SaysLayer2(line.Message) && !announce.SaysBGP(line.Message) &&
		line.HoldersKnown && len(line.Holders) == 0 && c.settled()
}

// keeps reports whether a Service shows an address that Daymark has given it.
func keeps(s *lb.Service) bool {
	return slices.ContainsFunc(s.Ingress, func(addr netip.Addr) bool { return s.Provenance.PoolOf(addr) != "" })
}

// stateOf a Service by the condition that decides it.
func stateOf(c *metav1.Condition) ServiceState {
	assigned := c.Type == v1beta1.ConditionAddressAssigned
	switch {
	case assigned && c.Status == metav1.ConditionTrue:
		return ServiceUnknown // nothing is said about announcing
	case assigned:
		return ServiceWaiting
	case c.Status == metav1.ConditionTrue:
		return ServiceAnnounced
	}
	return ServiceNotAnnounced
}

// ingress are the addresses and names in a Service's status.
func ingress(s *corev1.Service) (texts []string) {
	for _, entry := range s.Status.LoadBalancer.Ingress {
		texts = append(texts, entry.IP+entry.Hostname)
	}
	return texts
}

// poolsOf are the pools that the addresses of a Service come from, each once.
func poolsOf(s *lb.Service) (names []string) {
	for _, a := range s.Provenance.Allocations {
		if !slices.Contains(names, a.Pool) {
			names = append(names, a.Pool)
		}
	}
	return names
}

// ID of a Service for -o name.
func (l *ServiceLine) ID() string { return "service/" + l.Name }

// Short is the state in a word or two.
func (l *ServiceLine) Short() string {
	switch l.State {
	case ServiceAnnounced:
		return "yes"
	case ServiceWaiting, ServiceNotAnnounced:
		return "no: " + l.Reason
	case ServiceKept:
		return "yes, kept: " + l.Reason
	case ServiceOther:
		return "<other>"
	case ServiceUnknown:
	}
	return "<unknown>"
}

// Wrong reports whether it is not as it should be.
func (s ServiceState) Wrong() bool {
	return s == ServiceWaiting || s == ServiceKept || s == ServiceNotAnnounced
}

// HeldBy names the holders.
func (l *ServiceLine) HeldBy() string {
	switch {
	case len(l.Holders) > 0:
		return strings.Join(l.Holders, ",")
	case l.HoldersKnown:
		return "<none>"
	}
	return "<unknown>"
}
