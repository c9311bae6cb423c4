package view

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// A Service that nobody announces, and the speakers that say so, follow from an advertisement if that is the only one and at fault.
func TestStatus_NamesTheAdvertisementAtFaultOnce(t *testing.T) {
	const unheld = "192.0.2.200 is held by no node: nodeSelectors and interfaces of the advertisement (lan) leave none that may hold it and has an interface for it that is up"
	not := func(kind, reason, message string) []metav1.Condition {
		return []metav1.Condition{{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}}
	}
	for _, test := range []struct {
		name string
		// reason of the advertisement; empty: nothing is wrong with it.
		reason, says string
		routed       bool
		endpoints    int
		want         []string
		ready        int
	}{
		{"it is", "NoInterface", unheld, false, 1, []string{
			"Critical L2Advertisement lan: none; because of that the speakers of 2 nodes are not ready, and Service shop/web is not announced",
		}, 2},
		{"a part of it cannot be understood, and the rest counts", "Invalid", unheld, false, 1, []string{
			"Critical Service web: no", "Warning L2Advertisement lan: none", "Warning Speaker n1: " + unheld + "; so say 1 more",
		}, 0},
		{"nothing is known to be wrong with it", "", unheld, false, 1, []string{"Critical Service web: no", "Warning Speaker n1: " + unheld + "; so say 1 more"}, 0},
		{"the speakers say something else as well", "NoInterface", unheld + "\nno socket", false, 1, []string{
			"Critical L2Advertisement lan: none; because of that Service shop/web is not announced", "Warning Speaker n1: " + unheld + "\nno socket; so say 1 more",
		}, 0},
		{"another one announces the Service, too", "NoInterface", unheld, true, 1, []string{
			"Critical Service web: no", "Warning L2Advertisement lan: none; because of that the speakers of 2 nodes are not ready",
		}, 2},
		{"the Service has no endpoint either", "NoInterface", unheld, false, 0, []string{
			"Critical Service web: no", "Warning L2Advertisement lan: none; because of that the speakers of 2 nodes are not ready",
		}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "lan"}, Spec: v1beta1.IPAddressPoolSpec{Addresses: []v1beta1.AddressRange{"192.0.2.200-192.0.2.203"}}}
			l2 := &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}}
			if test.reason != "" {
				l2.Status.Conditions = not(v1beta1.ConditionReady, test.reason, "none")
			}
			service := web(metav1.ConditionFalse, "NoNode")
			service.Status.Conditions[1].Message = "no"
			service.Status.Conditions = append(service.Status.Conditions, metav1.Condition{
				Type: v1beta1.ConditionProvenance, Status: metav1.ConditionTrue, Reason: "Allocated", Message: "class=daymark.io/daymark 192.0.2.200=lan",
			})
			slice := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}}}
			for range test.endpoints {
				slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{"10.0.0.1"}, NodeName: new("n1")})
			}
			objects := []runtime.Object{pool, l2, service, slice}
			if test.routed {
				objects = append(objects, &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}})
			}
			for _, name := range []string{"n1", "n2"} {
				s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
				s.Status.Conditions = not(v1beta1.ConditionReady, "Failed", test.says)
				objects = append(objects, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, s)
			}
			c := New(Input{Objects: objects, Now: time.Unix(1_000_000, 0)})
			status := c.Status()
			var got []string
			for _, p := range status.Problems {
				if p.Kind != "Deployment" {
					got = append(got, string(p.Severity)+" "+p.Kind+" "+p.Name+": "+p.Message)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if status.Speakers.Ready != 0 || status.Speakers.Serving() != test.ready || strings.Join(status.Speakers.ButFor, ",") != strings.Repeat("lan", test.ready/2) {
				t.Errorf("speakers are %+v", status.Speakers)
			}
			if !c.ExplainNode("n2").Wrong() {
				t.Error("nothing is wrong with the second node")
			}
		})
	}
}
