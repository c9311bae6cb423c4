package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// reader answers as an API server. It lets a tenant read Services of the namespace shop, and nothing else.
type reader struct {
	client.Reader
	seen   *snapshot
	tenant bool
}

func (r *reader) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	services, ok := list.(*corev1.ServiceList)
	if r.tenant && (!ok || asked.Namespace != "shop") {
		return apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("no"))
	}
	if !ok {
		list.(*v1beta1.SpeakerList).Items = r.seen.speakers
		return nil
	}
	for _, s := range r.seen.services {
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		if asked.Namespace == "" || asked.Namespace == s.Namespace {
			services.Items = append(services.Items, s)
		}
	}
	return nil
}

func TestServices_ShowsWhoHoldsAndWhatWaits(t *testing.T) {
	for _, test := range []struct {
		name, namespace string
		refuses         bool
		want            string
	}{
		{"all namespaces", "", false, `
NAMESPACE   NAME   ADDRESSES     POOL     HELD BY   ANNOUNCED
default     web    192.0.2.200   lan      n2        yes
shop        late   <none>        <none>   <none>    no: PoolExhausted
`},
		{"one namespace, of one who may not read the others, nor the speakers", "shop", true, `
NAMESPACE   NAME   ADDRESSES   POOL     HELD BY     ANNOUNCED
shop        late   <none>      <none>   <unknown>   no: PoolExhausted
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			s, err := read(t.Context(), &reader{seen: seen(), tenant: test.refuses}, test.namespace)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.list(&out); err != nil || "\n"+out.String() != test.want {
				t.Errorf("error %v, shown:\n%s", err, out.String())
			}
		})
	}
}
