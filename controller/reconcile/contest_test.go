package reconcile

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/loop"
)

// store puts what a write makes into the cache, as the API server and the informer would.
func (s *scene) store(w *write) *corev1.Service {
	s.stored++
	service := &corev1.Service{}
	service.Namespace, service.Name, service.UID = "default", w.key.name, w.service.service.UID
	service.ResourceVersion = fmt.Sprint(100 + s.stored)
	service.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Protocol: "TCP", Port: 80}}}
	service.Status.Conditions = w.service.desired.Conditions
	service.Status.LoadBalancer.Ingress = w.service.desired.Ingress
	s.cache.Put(service)
	return service
}

func TestLoop_CompetingWriter(t *testing.T) {
	raw := func(manager, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: "status", FieldsV1: metav1.NewFieldsV1(fields)}
	}
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Config{})
		s.server.managed = []metav1.ManagedFieldsEntry{
			raw("kubectl", `{"f:metadata":{}}`), raw(fieldOwner, `{"f:status":{"f:conditions":{}}}`),
			raw("old-provider", `{"f:status":{"f:loadBalancer":{"f:ingress":{}}}}`),
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = s.events.Start(ctx) }()
		fights := true
		var last *corev1.Service
		round := func() (writes int) {
			result, err := s.Reconcile(ctx, loop.Wake{})
			if err != nil {
				t.Fatal(err)
			}
			for {
				one, _ := s.writer.take(time.Now())
				if one == nil {
					break
				}
				s.writer.make(one)
				if one.key.name != "a" {
					if one.service != nil {
						s.store(one)
					}
					continue
				}
				last = s.store(one)
				if one.urgency.ofAddress() {
					writes++
					if fights {
						theirs := last.DeepCopy()
						s.stored++
						theirs.ResourceVersion = fmt.Sprint(100 + s.stored)
						theirs.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.9"}}
						s.cache.Put(theirs)
						last = theirs
					}
				}
			}
			wait := 200 * time.Millisecond // something else wakes the loop all the time
			if result.RequeueAfter > 0 {
				wait = min(wait, result.RequeueAfter)
			}
			time.Sleep(wait)
			return writes
		}
		total := 0
		for began := time.Now(); time.Since(began) < time.Hour; {
			total += round()
		}
		if total < 12 || total > 30 {
			t.Errorf("%d writes of addresses in an hour", total)
		}
		c := meta.FindStatusCondition(last.Status.Conditions, v1beta1.ConditionAddressAssigned)
		if c == nil || c.Reason != "CompetingWriter" || !strings.Contains(c.Message, "old-provider writes the addresses of this Service, too") {
			t.Errorf("the condition is %+v", c)
		}
		if got := s.events.countOf("CompetingWriter"); got != 1 {
			t.Errorf("%d Events say it, want one", got)
		}
		fights = false
		for began := time.Now(); time.Since(began) < 20*time.Minute; {
			round()
		}
		c = meta.FindStatusCondition(last.Status.Conditions, v1beta1.ConditionAddressAssigned)
		if c == nil || c.Reason != "AddressAssigned" || last.Status.LoadBalancer.Ingress[0].IP == "203.0.113.9" {
			t.Errorf("after the other has gone the Service has %+v, %+v", last.Status.LoadBalancer, c)
		}
	})
}

// countOf is how many Events of a reason were written.
func (w *eventWriter) countOf(reason string) (count int) {
	for _, e := range w.writer.(*recorder).events {
		if e.Reason == reason {
			count++
		}
	}
	return count
}

func TestRivalIn(t *testing.T) {
	at := func(manager, fields string, minute int) metav1.ManagedFieldsEntry {
		when := metav1.NewTime(time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC))
		return metav1.ManagedFieldsEntry{Manager: manager, Time: &when, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const ingress, status = `{"f:status":{"f:loadBalancer":{"f:ingress":{}}}}`, `{"f:status":{"f:conditions":{}}}`
	for _, test := range []struct {
		name   string
		fields []metav1.ManagedFieldsEntry
		want   string
	}{
		{"who wrote the addresses", []metav1.ManagedFieldsEntry{at("a", status, 2), at("b", ingress, 1)}, "b"},
		{"of two the last", []metav1.ManagedFieldsEntry{at("a", ingress, 1), at("b", ingress, 2)}, "b"},
		{"never this program", []metav1.ManagedFieldsEntry{at(fieldOwner, ingress, 2), at("a", ingress, 1)}, "a"},
		{"who empties the list owns only the status", []metav1.ManagedFieldsEntry{at("kubectl", `{"f:spec":{}}`, 3), at("a", status, 1)}, "a"},
		{"nobody", []metav1.ManagedFieldsEntry{at("kubectl", `{"f:spec":{}}`, 3)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := rivalIn(test.fields); got != test.want {
				t.Errorf("it is %q", got)
			}
		})
	}
}
