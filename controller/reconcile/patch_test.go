package reconcile

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/internal/core/status"
)

func TestMakePatch(t *testing.T) {
	ours := metav1.Condition{Type: "daymark.io/AddressAssigned", Status: metav1.ConditionTrue, Reason: "AddressAssigned"}
	has := status.Service{Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}, LastAddresses: "192.0.2.1", HasLast: true, HasPool: true, Conditions: []metav1.Condition{ours}}
	for _, test := range []struct {
		name          string
		before, after status.Service
		want          string
	}{
		{"nothing for nothing", has, has, ""},
		{
			"all in one",
			status.Service{},
			has,
			`{"metadata":{"resourceVersion":"7","annotations":{"daymark.io/last-addresses":"192.0.2.1"}},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]},` +
				`"conditions":[{"type":"daymark.io/AddressAssigned","status":"True","lastTransitionTime":null,"reason":"AddressAssigned","message":""}]}}`,
		},
		{
			"what is ours goes, and nothing else is named", has,
			status.Service{},
			`{"metadata":{"resourceVersion":"7","annotations":{"daymark.io/last-addresses":null,"daymark.io/pool":null}},"status":{"loadBalancer":{"ingress":null},` +
				`"conditions":[{"type":"daymark.io/AddressAssigned","$patch":"delete"}]}}`,
		},
		{
			"only what differs", has,
			status.Service{Ingress: has.Ingress, LastAddresses: "192.0.2.2", HasLast: true, Conditions: has.Conditions},
			`{"metadata":{"resourceVersion":"7","annotations":{"daymark.io/last-addresses":"192.0.2.2","daymark.io/pool":null}}}`,
		},
		{
			"the finalizer comes", has,
			status.Service{Ingress: has.Ingress, LastAddresses: has.LastAddresses, HasLast: true, HasPool: true, Conditions: has.Conditions, Finalizer: true},
			`{"metadata":{"resourceVersion":"7","finalizers":["service.kubernetes.io/load-balancer-cleanup"]}}`,
		},
		{
			"and goes, and those of others stay",
			status.Service{Finalizer: true},
			status.Service{},
			`{"metadata":{"resourceVersion":"7","$deleteFromPrimitiveList/finalizers":["service.kubernetes.io/load-balancer-cleanup"]}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := makePatch("7", &test.before, &test.after)
			if err != nil || string(got) != test.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, test.want)
			}
		})
	}
}
