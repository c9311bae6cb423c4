package reconcile

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
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

// fight is a Service that another program writes, too.
type fight struct {
	*scene
	// undo is what the other does to each write of Service a; nil when it has gone.
	undo func(*corev1.Service)
	// last is the Service as it is.
	last *corev1.Service
}

// round makes a pass and all its writes, and waits until the next is due. It returns how often Service a was written.
func (f *fight) round(t *testing.T) (writes int) {
	t.Helper()
	result, err := f.Reconcile(t.Context(), loop.Wake{})
	if err != nil {
		t.Fatal(err)
	}
	for one, _ := f.writer.take(time.Now()); one != nil; one, _ = f.writer.take(time.Now()) {
		f.writer.make(one)
		if one.service == nil {
			continue
		}
		made := f.store(one)
		if one.key.name != "a" {
			continue
		}
		writes++
		f.last = made
		if f.undo != nil {
			theirs := made.DeepCopy()
			f.stored++
			theirs.ResourceVersion = fmt.Sprint(100 + f.stored)
			f.undo(theirs)
			f.cache.Put(theirs)
			f.last = theirs
		}
	}
	wait := 200 * time.Millisecond // something else wakes the loop all the time
	if result.RequeueAfter > 0 {
		wait = min(wait, result.RequeueAfter)
	}
	time.Sleep(wait)
	return writes
}

func (f *fight) assigned() metav1.Condition {
	if c := meta.FindStatusCondition(f.last.Status.Conditions, v1beta1.ConditionAddressAssigned); c != nil {
		return *c
	}
	return metav1.Condition{}
}

func TestLoop_CompetingWriter(t *testing.T) {
	raw := func(manager, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: "status", FieldsV1: metav1.NewFieldsV1(fields)}
	}
	proxy := corev1.LoadBalancerIPModeProxy
	for _, test := range []struct {
		name string
		undo func(*corev1.Service)
		// shown: the condition that names the other stays.
		shown bool
		// most writes in an hour.
		most int
		say  string
	}{
		{"that writes other addresses", func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.9"}}
		}, true, 45, "old-provider writes the addresses of this Service, too"},
		{"that writes another ipMode", func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress[0].IPMode = &proxy
		}, true, 45, "old-provider writes the addresses of this Service, too"},
		{"that removes the conditions", func(s *corev1.Service) {
			s.Status.Conditions = nil
		}, false, 400, "reporter writes the conditions of this Service, too"},
		{"that removes one condition", func(s *corev1.Service) {
			meta.RemoveStatusCondition(&s.Status.Conditions, v1beta1.ConditionAddressAssigned)
		}, false, 400, "reporter writes the conditions of this Service, too"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := &fight{scene: newScene(Config{}), undo: test.undo}
				f.server.managed = []metav1.ManagedFieldsEntry{
					raw("kubectl", `{"f:metadata":{}}`), raw(fieldOwner, `{"f:status":{"f:conditions":{}}}`),
					raw("reporter", `{"f:status":{"f:conditions":{}}}`), raw("old-provider", `{"f:status":{"f:loadBalancer":{"f:ingress":{}}}}`),
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() { _ = f.events.Start(ctx) }()
				total := 0
				for began := time.Now(); time.Since(began) < time.Hour; {
					total += f.round(t)
				}
				if total < 12 || total > test.most {
					t.Errorf("%d writes in an hour", total)
				}
				if c := f.assigned(); test.shown && (c.Reason != "CompetingWriter" || !strings.Contains(c.Message, test.say)) {
					t.Errorf("the condition is %+v", c)
				}
				if got := f.events.countOf("CompetingWriter", test.say); got == 0 || test.shown && got != 1 {
					t.Errorf("%d Events say it", got)
				}
				f.undo = nil
				for began := time.Now(); time.Since(began) < 20*time.Minute; {
					f.round(t)
				}
				entry := f.last.Status.LoadBalancer.Ingress[0]
				if c := f.assigned(); c.Reason != "AddressAssigned" || entry.IP == "203.0.113.9" || *entry.IPMode != corev1.LoadBalancerIPModeVIP {
					t.Errorf("after the other has gone the Service has %+v, %+v", f.last.Status.LoadBalancer, c)
				}
			})
		})
	}
}

// What the cache shows is not always newer than what the loop knows of its own writes: an event may come before the answer, and the
// answer may not come at all. Neither is another program.
func TestContest_OwnWritesAreNotUndone(t *testing.T) {
	service := func(version, message string) *cachedService {
		s := &cachedService{status.Observed{Service: &lb.Service{Request: &lb.Request{UID: "a"}}}, version}
		s.Written.Conditions = []metav1.Condition{{Type: v1beta1.ConditionAddressAssigned, Message: message}}
		return s
	}
	write := func(message string) *serviceWrite {
		return &serviceWrite{service: service("", ""), desired: service("", message).Written}
	}
	for _, test := range []struct {
		name string
		// known: the loop knows that the write may have been made. shows is what the cache shows then, and undone whether that counts.
		known  bool
		shows  string
		undone int
	}{
		{"the cache shows a write before its answer", true, "second", 0},
		{"the cache shows the write before it", true, "first", 0},
		{"the cache shows what somebody else wrote", true, "other", 1},
		{"the cache shows what was not written here", false, "second", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var all contests
			all.wrote(write("first"), time.Now())
			if test.known {
				all.perhaps(write("second"))
			}
			k := all.known["a"]
			if k.look(service("2", test.shows), time.Now()); k.undone != test.undone {
				t.Errorf("undone %d times, want %d", k.undone, test.undone)
			}
		})
	}
}

// A tool that puts back the annotations of a Service for ever, as some operators do, is not answered each time.
func TestLoop_LostAnnotationIsNotFought(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f, total := &fight{scene: newScene(Config{})}, 0
		for range 100 {
			total += f.round(t) // what is stored has no annotations
		}
		if total > 3 {
			t.Errorf("%d writes", total)
		}
	})
}

// countOf is how many Events of a reason with a text were written.
func (w *eventWriter) countOf(reason, text string) (count int) {
	for _, e := range w.writer.(*recorder).events {
		if e.Reason == reason && strings.Contains(e.Note, text) {
			count++
		}
	}
	return count
}

func TestCompetitorIn(t *testing.T) {
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
			if got := competitorIn(test.fields, addressFields); got != test.want {
				t.Errorf("it is %q", got)
			}
		})
	}
}

// Another provider competes for thousands of Services at once.
func TestLookups_FewAtATime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var q lookups
		var running, most, made atomic.Int32
		for range 100 {
			q.start(func() {
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(time.Second)
				running.Add(-1)
				made.Add(1)
			})
		}
		time.Sleep(time.Minute)
		if made.Load() != 100 || most.Load() != maxLookups {
			t.Errorf("%d calls are made, %d at a time", made.Load(), most.Load())
		}
	})
}
