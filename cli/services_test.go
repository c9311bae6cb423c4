package main

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// seen is a cluster with one Service that is held by n2, and one that waits.
func seen() *snapshot {
	now := time.Unix(1e9, 0)
	condition := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now.Add(-time.Hour))}
	}
	web := corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}
	web.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.200"}}
	web.Status.Conditions = []metav1.Condition{
		condition(v1beta1.ConditionAddressAssigned, metav1.ConditionTrue, "AddressAssigned", "192.0.2.200 from pool lan"),
		condition(v1beta1.ConditionProvenance, metav1.ConditionTrue, "Allocated", "class=daymark.io/daymark 192.0.2.200=lan"),
		condition(v1beta1.ConditionAnnounced, metav1.ConditionTrue, "Announced", "192.0.2.200 by layer 2 (lan)"),
	}
	late := corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "late"}}
	late.Status.Conditions = []metav1.Condition{condition(v1beta1.ConditionAddressAssigned, metav1.ConditionFalse, "PoolExhausted", "pool lan is exhausted")}
	n1, n2 := v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n2"}}
	n2.Status.Layer2.Held = []v1beta1.HeldAddress{{Address: "192.0.2.200", Interfaces: []string{"eth0"}, Since: metav1.NewTime(now.Add(-time.Minute))}}
	return &snapshot{services: []corev1.Service{web, late}, speakers: []v1beta1.Speaker{n1, n2}, namespace: "default", now: now}
}

func TestServices_ShowsWhoHoldsAndWhatWaits(t *testing.T) {
	for _, test := range []struct {
		name, namespace, want string
	}{
		{"all namespaces", "", `
NAMESPACE   NAME   ADDRESSES     POOL     HELD BY   ANNOUNCED
default     web    192.0.2.200   lan      n2        yes
shop        late   <none>        <none>   <none>    no: PoolExhausted
`},
		{"one namespace", "shop", `
NAMESPACE   NAME   ADDRESSES   POOL     HELD BY   ANNOUNCED
shop        late   <none>      <none>   <none>    no: PoolExhausted
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			if err := seen().list(&out, test.namespace); err != nil || "\n"+out.String() != test.want {
				t.Errorf("error %v, shown:\n%s", err, out.String())
			}
		})
	}
}
