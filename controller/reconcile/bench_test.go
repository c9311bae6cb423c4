package reconcile

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/view"
)

// BenchmarkPass5k is a pass over 5,000 Services that have all they should have: what each event costs.
func BenchmarkPass5k(b *testing.B) {
	const services = 5000
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "blue"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{"10.0.0.0/16"}
	s := &sight{pools: []poolObject{{pool, lb.ParsePool(pool)}}}
	s.index = lb.NewPools(values(s.pools))
	for i := range services {
		s.services = append(s.services, parseRecord(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "default", Name: fmt.Sprintf("web-%d", i), UID: types.UID(fmt.Sprint(i)), ResourceVersion: "1",
				CreationTimestamp: metav1.Unix(int64(i), 0),
			},
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Protocol: "TCP", Port: 80}}},
		}))
	}
	l := &Loop{classes: lb.Classes{Classless: true}, now: time.Now, metrics: newMetrics(nil), overlay: overlay{}}
	l.tables.endpoints = view.Endpoints{}
	l.settle(s)

	b.ReportAllocs()
	for b.Loop() {
		plan := ipam.Compute(l.world(s))
		if intents, err := l.intents(s, &plan, l.explainer(s)); len(intents) > 0 || err != nil {
			b.Fatalf("%d writes, first %s, %v", len(intents), intents[0].patch, err)
		}
	}
}

// settle makes the Services what the plan says, as if all writes were made and seen.
func (l *Loop) settle(s *sight) {
	plan := ipam.Compute(l.world(s))
	intents, _ := l.intents(s, &plan, l.explainer(s))
	wanted := map[*record]*intent{}
	for _, i := range intents {
		wanted[i.record] = i
	}
	for n, r := range s.services {
		if i := wanted[r]; i != nil {
			s.services[n] = &record{Service: withIngress(r.Service, &i.want), version: "2", state: i.want}
		}
	}
}
