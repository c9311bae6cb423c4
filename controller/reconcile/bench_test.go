package reconcile

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
)

// compute decides what a pass writes.
func (l *Loop) compute(s *snapshot) (*ipam.Plan, *announce.Explainer) {
	plan := l.planner.Compute(s.AddressWorld(l.now(), l.classes, l.poolGrace, ipam.Memory{}))
	world := s.lastGood.ReportedWorld(l.classes, l.options)
	return &plan, announce.NewExplainer(&world)
}

// benchLoop is a loop and a snapshot of Services that have all they should have.
func benchLoop(services int) (*Loop, *snapshot) {
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "blue"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{"10.0.0.0/16"}
	s := &snapshot{Snapshot: &informer.Snapshot{}}
	s.Pools = lb.NewPools([]*lb.Pool{lb.ParsePool(pool)})
	s.lastGood = s.Objects
	var all []*cachedService
	for i := range services {
		all = append(all, parseService(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "default", Name: fmt.Sprintf("web-%05d", i), UID: types.UID(fmt.Sprint(i)), ResourceVersion: "1",
				CreationTimestamp: metav1.Unix(int64(i), 0),
			},
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Protocol: "TCP", Port: 80}}},
		}))
	}
	l := newLoop(Config{Classes: lb.Classes{Classless: true}})
	s.setServices(all, nil)
	l.writeAll(s)
	return l, s
}

// BenchmarkLoop_Pass5k is a pass over 5,000 Services that have all they should have: what each event costs.
func BenchmarkLoop_Pass5k(b *testing.B) {
	l, s := benchLoop(5000)
	b.ReportAllocs()
	for b.Loop() {
		plan, explainer := l.compute(s)
		if writes := l.serviceWrites(s, plan, explainer); len(writes) > 0 {
			b.Fatalf("%d writes, first %+v", len(writes), writes[0].service.desired)
		}
	}
}

// writeAll makes the Services what the plan says, as if all writes were made and in the cache.
func (l *Loop) writeAll(s *snapshot) {
	plan, explainer := l.compute(s)
	byService := map[*cachedService]*serviceWrite{}
	for _, w := range l.serviceWrites(s, plan, explainer) {
		byService[w.service.service] = w.service
	}
	services := slices.Clone(s.services)
	for i, c := range s.services {
		if w := byService[c]; w != nil {
			services[i] = &cachedService{w.made("2"), "2"}
		}
	}
	s.setServices(services, nil)
}

// BenchmarkLoop_PassWith10kRewrites is a pass while the conditions of all of 10,000 Services wait to be rewritten: what a
// new Service waits for before its address is written.
func BenchmarkLoop_PassWith10kRewrites(b *testing.B) {
	l, s := benchLoop(10000)
	for _, c := range s.services {
		c.Written.Conditions = slices.Clone(c.Written.Conditions)
		c.Written.Conditions[len(c.Written.Conditions)-1].Message = "another"
	}
	b.ReportAllocs()
	for b.Loop() {
		plan, explainer := l.compute(s)
		l.writer.Hold()
		writes := l.serviceWrites(s, plan, explainer)
		if len(writes) != 10000 || writes[0].urgency != serviceText {
			b.Fatalf("%d writes", len(writes))
		}
		l.writer.Set(writes, l.now())
	}
}

// BenchmarkLoop_NotServed40k is the planning of the pass in which 40,000 Services turn out not to be Daymark's any more.
func BenchmarkLoop_NotServed40k(b *testing.B) {
	const services = 40_000
	s := &snapshot{Snapshot: &informer.Snapshot{}}
	s.Pools = lb.NewPools(nil)
	s.lastGood = s.Objects
	var all []*cachedService
	for i := range services {
		addr := fmt.Sprintf("10.%d.%d.1", i/250, i%250)
		from := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("web-%05d", i), UID: types.UID(fmt.Sprint(i)), ResourceVersion: "1"},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP},
		}
		from.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: addr}}
		from.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionProvenance, Message: "class=daymark.io/daymark " + addr + "=blue"}}
		all = append(all, parseService(from))
	}
	l := newLoop(Config{Classes: lb.Classes{Name: v1beta1.LoadBalancerClass}})
	s.setServices(all, nil)
	b.ReportAllocs()
	for b.Loop() {
		plan, explainer := l.compute(s)
		if writes := l.serviceWrites(s, plan, explainer); len(writes) != services {
			b.Fatalf("%d writes", len(writes))
		}
	}
}
