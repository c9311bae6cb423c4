package reconcile

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
)

// In a cluster of 10,000 Services in a hundred pools an edit of one pool rewrites the Services that it concerns and no other.
func TestLoop_PoolEditRewritesWhatItConcerns(t *testing.T) {
	edited, limit := 42, int32(1)
	for _, test := range []struct {
		name string
		// change of the pool, which has the addresses 10.42.0.0 to 10.42.0.255 and a hundred Services.
		change func(*v1beta1.IPAddressPool)
		// writes are of so many Services, all of this pool.
		writes int
	}{
		{"more addresses", func(p *v1beta1.IPAddressPool) { p.Spec.Addresses = append(p.Spec.Addresses, "10.200.0.0/24") }, 0},
		{"addresses that none has", func(p *v1beta1.IPAddressPool) { p.Spec.Exclude = []v1beta1.AddressRange{"10.42.0.128/25"} }, 0},
		{"addresses that some have", func(p *v1beta1.IPAddressPool) { p.Spec.Exclude = []v1beta1.AddressRange{"10.42.0.0/29"} }, 8},
		{"another priority", func(p *v1beta1.IPAddressPool) { p.Spec.ServiceAllocation = &v1beta1.ServiceAllocation{Priority: 7} }, 0},
		{"a limit per namespace that is reached", func(p *v1beta1.IPAddressPool) {
			p.Spec.ServiceAllocation = &v1beta1.ServiceAllocation{MaxPerNamespace: &limit}
		}, 0},
		{"it serves none of its Services any more", func(p *v1beta1.IPAddressPool) {
			selectors := []v1beta1.LabelSelector{{MatchLabels: map[string]v1beta1.LabelValue{"tier": "none"}}}
			p.Spec.ServiceAllocation = &v1beta1.ServiceAllocation{ServiceSelectors: selectors}
		}, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, s, pools := poolsLoop(100, 100)
			test.change(pools[edited])
			s.setPools(pools)
			plan, explainer := l.compute(s)
			writes := l.serviceWrites(s, plan, explainer)
			if len(writes) != test.writes {
				t.Errorf("%d Services are written, want %d", len(writes), test.writes)
			}
			for _, w := range writes {
				if pool := w.service.service.Provenance.Allocations[0].Pool; pool != pools[edited].Name {
					t.Fatalf("Service %s of %s is written: %+v", w.key.name, pool, w.service.desired)
				}
			}
		})
	}
}

// poolsLoop is a loop and a snapshot of some pools, each with as many Services that have all they should have.
func poolsLoop(pools, each int) (*Loop, *snapshot, []*v1beta1.IPAddressPool) {
	l := newLoop(Config{Classes: lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}})
	s := &snapshot{Snapshot: &informer.Snapshot{}}
	var objects []*v1beta1.IPAddressPool
	var services []*cachedService
	for i := range pools {
		pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("pool-", i)}}
		pool.Spec.Addresses = []v1beta1.AddressRange{v1beta1.AddressRange(fmt.Sprintf("10.%d.0.0/24", i))}
		objects = append(objects, pool)
		for j := range each {
			name := fmt.Sprintf("web-%d-%d", i, j)
			services = append(services, parseService(&corev1.Service{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: "default", Name: name, UID: types.UID(name), ResourceVersion: "1",
					Annotations: map[string]string{v1beta1.AnnotationAddressPool: pool.Name},
				},
				Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Protocol: "TCP", Port: 80}}},
			}))
		}
	}
	s.setPools(objects)
	s.setServices(services, nil)
	l.writeAll(s)
	return l, s, objects
}

// setPools sets the pools of a snapshot.
func (s *snapshot) setPools(objects []*v1beta1.IPAddressPool) {
	var pools []*lb.Pool
	for _, object := range objects {
		pools = append(pools, lb.ParsePool(object))
	}
	s.Pools = lb.NewPools(pools)
	s.lastGood = s.Objects
}
