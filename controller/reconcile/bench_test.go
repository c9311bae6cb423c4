package reconcile

import (
	"fmt"
	"slices"
	"testing"
	"time"

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
	plan := ipam.Compute(s.AddressWorld(l.now(), l.classes, l.memory))
	world := s.announced.ReportedWorld(l.classes, l.options)
	return &plan, announce.NewExplainer(&world)
}

// BenchmarkPass5k is a pass over 5,000 Services that have all they should have: what each event costs.
func BenchmarkPass5k(b *testing.B) {
	const services = 5000
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "blue"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{"10.0.0.0/16"}
	s := &snapshot{Snapshot: &informer.Snapshot{}}
	s.Pools = lb.NewPools([]*lb.Pool{lb.ParsePool(pool)})
	s.announced = s.Objects
	var all []*record
	for i := range services {
		all = append(all, parseRecord(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "default", Name: fmt.Sprintf("web-%d", i), UID: types.UID(fmt.Sprint(i)), ResourceVersion: "1",
				CreationTimestamp: metav1.Unix(int64(i), 0),
			},
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Protocol: "TCP", Port: 80}}},
		}))
	}
	l := &Loop{classes: lb.Classes{Classless: true}, now: time.Now, metrics: newMetrics(nil), overlay: overlay{}}
	s.setServices(all)
	l.settle(s)

	b.ReportAllocs()
	for b.Loop() {
		plan, explainer := l.compute(s)
		if intents, err := l.intents(s, plan, explainer); len(intents) > 0 || err != nil {
			b.Fatalf("%d writes, first %s, %v", len(intents), intents[0].patch, err)
		}
	}
}

// settle makes the Services what the plan says, as if all writes were made and seen.
func (l *Loop) settle(s *snapshot) {
	plan, explainer := l.compute(s)
	intents, _ := l.intents(s, plan, explainer)
	wanted := map[*record]*intent{}
	for _, i := range intents {
		wanted[i.record] = i
	}
	services := slices.Clone(s.services)
	for n, r := range s.services {
		if i := wanted[r]; i != nil {
			services[n] = &record{Service: withIngress(r.Service, &i.want), version: "2", state: i.want}
		}
	}
	s.setServices(services)
}
