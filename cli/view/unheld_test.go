package view

import (
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// A change that speakers may not have reported on says nothing of holders, nor does what is not seen.
func TestCluster_UnheldIsNotSaidTooEarly(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	announced := func(since time.Duration) runtime.Object {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
		s.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionAnnounced, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-since))}}
		return s
	}
	for _, test := range []struct {
		name  string
		input Input
		want  bool
	}{
		{"long ago", Input{Now: now, Objects: []runtime.Object{announced(time.Hour)}}, true},
		{"a moment ago", Input{Now: now, Objects: []runtime.Object{announced(time.Second)}}, false},
		{"not all is seen", Input{Now: now, Objects: []runtime.Object{announced(time.Hour)}, Unseen: []Unseen{{Resource: resourceSpeakers}}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := New(test.input).settled(); got != test.want {
				t.Errorf("settled: %v", got)
			}
		})
	}
}

// A Service that waits for its first holder is as unheld as one that lost it.
func TestCluster_UnheldBeforeItsFirstHolder(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	since := metav1.NewTime(now.Add(-time.Hour))
	condition := func(kind string, is metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{{Type: kind, Status: is, Reason: reason, LastTransitionTime: since}}
	}
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "default", Name: name, CreationTimestamp: since}
	}
	for _, test := range []struct {
		is     metav1.ConditionStatus
		reason string
		want   int
	}{
		{metav1.ConditionTrue, announce.ReasonAnnounced.Name, 1},
		{metav1.ConditionFalse, announce.ReasonNoHolder.Name, 1},
		{metav1.ConditionFalse, announce.ReasonNoNode.Name, 0},
		{metav1.ConditionFalse, announce.ReasonAddressConflict.Name, 1}, // which no report has any more
	} {
		provenance := lb.Provenance{Allocations: []lb.Allocation{{Addr: netip.MustParseAddr("192.0.2.200"), Pool: "lan"}}}
		service := &corev1.Service{ObjectMeta: meta("web"), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
		service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.200"}}
		service.Status.Conditions = append(condition(v1beta1.ConditionAnnounced, test.is, test.reason), metav1.Condition{
			Type: v1beta1.ConditionProvenance, Status: metav1.ConditionTrue, Reason: "Allocated", LastTransitionTime: since,
			Message: provenance.Message(),
		})
		slice := &discoveryv1.EndpointSlice{ObjectMeta: meta("web"), AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"203.0.113.1"}}}}
		slice.Labels = map[string]string{discoveryv1.LabelServiceName: "web"}
		pool := &v1beta1.IPAddressPool{ObjectMeta: meta("lan"), Spec: v1beta1.IPAddressPoolSpec{Addresses: []v1beta1.AddressRange{"192.0.2.200/29"}}}
		speaker := &v1beta1.Speaker{ObjectMeta: meta("n1")}
		speaker.Status.Conditions = condition(v1beta1.ConditionMembershipKnown, metav1.ConditionTrue, "Known")
		c := New(Input{Now: now, Objects: []runtime.Object{
			service, slice, pool, speaker, &corev1.Node{ObjectMeta: meta("n1")}, &v1beta1.L2Advertisement{ObjectMeta: meta("lan")},
		}})
		if got := c.unheldOf(c.announceWorld().Services[0]); len(got) != test.want {
			t.Errorf("of one that says %s, %v are not held", test.reason, got)
		}
	}
}

// What the controller says of a Service that layer 2 alone announces does not hold against reports of all speakers in which nobody does.
func TestCluster_ALineSaysThatNobodyHoldsTheAddress(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	const segment, both = "192.0.2.200 by layer 2 (lan)", "192.0.2.200 by layer 2 (lan) and by BGP (wan)"
	for _, test := range []struct {
		name, message, holder string
		since                 time.Duration
		unseen                []Unseen
		want                  string
	}{
		{"nobody does", segment, "", time.Hour, nil, "<none> no: Unheld"},
		{"a node does", segment, "n1", time.Hour, nil, "n1 yes"},
		{"routers are told of it, too", both, "", time.Hour, nil, "<none> yes"},
		{"it is said since a moment ago", segment, "", time.Second, nil, "<none> yes"},
		{"the reports are not seen", segment, "", time.Hour, []Unseen{{Resource: resourceSpeakers}}, "<unknown> yes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			since := metav1.NewTime(now.Add(-test.since))
			service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web", CreationTimestamp: since}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
			service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.200"}}
			service.Status.Conditions = []metav1.Condition{
				{Type: v1beta1.ConditionAddressAssigned, Status: metav1.ConditionTrue, LastTransitionTime: since},
				{Type: v1beta1.ConditionAnnounced, Status: metav1.ConditionTrue, LastTransitionTime: since, Message: test.message},
			}
			speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
			if test.holder != "" {
				speaker.Status.Layer2 = v1beta1.SpeakerLayer2{IPv4: 1, Held: []v1beta1.HeldAddress{{Address: "192.0.2.200", Since: since}}}
			}
			list := New(Input{Now: now, Objects: []runtime.Object{service, speaker}, Unseen: test.unseen}).Services()
			if got := list.Items[0].HeldBy() + " " + list.Items[0].Short(); got != test.want {
				t.Errorf("it says %s, want %s", got, test.want)
			}
		})
	}
}
