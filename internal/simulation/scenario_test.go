package simulation

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// ranges that pools have. Those of the first two of a family are full with a few Services.
var ranges = [][]v1beta1.AddressRange{
	{"192.0.2.0/30"},
	{"192.0.2.0/29"},
	{"192.0.2.4-192.0.2.9", "2001:db8::/126"},
	{"198.51.100.0/28"},
	{"198.51.100.4/30", "2001:db8::/124"},
	{"2001:db8::8/125"},
}

// addresses that people ask for, or write into a status by hand.
var addresses = []string{"192.0.2.1", "192.0.2.2", "192.0.2.5", "198.51.100.5", "2001:db8::1", "2001:db8::9", "203.0.113.1"}

func pick[T any](w *world, from []T) T { return from[w.random.IntN(len(from))] }

// begin makes what there is in the beginning.
func (w *world) begin() {
	for _, name := range []string{namespace, "red", "blue"} {
		w.make(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	for i := range 2 {
		w.make(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i)}})
	}
	w.make(&v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}})
	for range 1 + w.random.IntN(2) {
		w.editPool()
	}
	for range w.random.IntN(8) {
		w.makeService()
	}
}

func (w *world) make(object client.Object) {
	if _, err := w.server.create(people, object); err != nil {
		w.note("people cannot make %s: %v", object.GetName(), err)
	}
}

// alter changes an object if it exists.
func alter[T client.Object](w *world, key client.ObjectKey, change func(T)) {
	var example T
	_, err := w.server.update(people, kindOf(example), key, func(now client.Object) (client.Object, error) {
		change(now.(T))
		return now, nil
	})
	if err != nil {
		w.note("people cannot change %s: %v", key, err)
	}
}

func (w *world) remove(kind string, key client.ObjectKey) {
	_, err := w.server.update(people, kind, key, func(now client.Object) (client.Object, error) {
		if len(now.GetFinalizers()) == 0 {
			return nil, errDelete
		}
		now.SetDeletionTimestamp(&metav1.Time{Time: time.Now()})
		return now, nil
	})
	if err != nil {
		w.note("people cannot delete %s: %v", key, err)
	}
}

// edit makes one change as people do.
func (w *world) edit() {
	services := w.keys("Service")
	switch kind := w.random.IntN(14); {
	case kind < 4 || len(services) == 0:
		for range 1 + w.random.IntN(3) {
			w.makeService()
		}
	case kind < 6:
		w.remove("Service", pick(w, services))
	case kind < 9:
		alter(w, pick(w, services), w.ask)
	case kind < 10:
		alter(w, pick(w, services), w.writeByHand)
	case kind < 13:
		w.editPool()
	default:
		w.deletePool()
	}
}

func (w *world) makeService() {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: pick(w, []string{"red", "blue"}), Name: fmt.Sprintf("s%d", w.random.IntN(30))}}
	w.ask(s)
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	w.make(s)
}

// ask changes what a Service asks for.
func (w *world) ask(s *corev1.Service) {
	s.Annotations = map[string]string{}
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	if w.chance(0.1) {
		s.Spec.Type = corev1.ServiceTypeClusterIP
	}
	s.Spec.Ports = []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: pick(w, []int32{80, 443, 53})}}
	s.Spec.IPFamilies = pick(w, [][]corev1.IPFamily{{corev1.IPv4Protocol}, {corev1.IPv4Protocol}, {corev1.IPv6Protocol}, {corev1.IPv4Protocol, corev1.IPv6Protocol}})
	policy := corev1.IPFamilyPolicySingleStack
	if len(s.Spec.IPFamilies) == 2 {
		policy = pick(w, []corev1.IPFamilyPolicy{corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack})
	}
	s.Spec.IPFamilyPolicy = &policy
	if w.chance(0.3) {
		s.Annotations[v1beta1.AnnotationAllowSharedIP] = pick(w, []string{"one", "two"})
	}
	switch {
	case w.chance(0.2):
		s.Annotations[v1beta1.AnnotationLoadBalancerIPs] = pick(w, addresses)
	case w.chance(0.1):
		s.Annotations[v1beta1.AnnotationAddressPool] = pick(w, poolNames)
	case w.chance(0.05):
		s.Annotations[v1beta1.AnnotationProvider] = "other"
	}
}

// writeByHand writes into the status of a Service, as people and other programs do.
func (w *world) writeByHand(s *corev1.Service) {
	one := corev1.LoadBalancerIngress{IP: pick(w, addresses)}
	switch ingress := &s.Status.LoadBalancer.Ingress; w.random.IntN(4) {
	case 0:
		*ingress = nil
	case 1:
		*ingress = []corev1.LoadBalancerIngress{one}
	case 2:
		*ingress = append(*ingress, one)
	default:
		s.Status.Conditions = nil
	}
}

var poolNames = []string{"p1", "p2", "p3"}

// editPool makes a pool, or changes what it is.
func (w *world) editPool() {
	name := pick(w, poolNames)
	spec := v1beta1.IPAddressPoolSpec{
		Addresses: pick(w, ranges), AutoAssign: new(!w.chance(0.1)), Drain: w.chance(0.1), AvoidBuggyIPs: w.chance(0.2),
	}
	if w.chance(0.3) {
		spec.ServiceAllocation = &v1beta1.ServiceAllocation{Priority: int32(w.random.IntN(3))}
		if w.chance(0.3) {
			spec.ServiceAllocation.Namespaces = []string{"red"}
		}
		if w.chance(0.3) {
			spec.ServiceAllocation.MaxPerNamespace = new(int32(1 + w.random.IntN(3)))
		}
	}
	if w.chance(0.2) {
		spec.ReuseDelay.Duration = 20 * time.Second
	}
	for _, key := range w.keys("IPAddressPool") {
		if key.Name == name {
			alter(w, key, func(p *v1beta1.IPAddressPool) {
				if w.chance(0.5) {
					spec.Addresses = p.Spec.Addresses
				}
				p.Spec = spec
			})
			w.note("pool %s is %v", name, spec.Addresses)
			return
		}
	}
	w.note("pool %s is made of %v", name, spec.Addresses)
	w.make(&v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec})
}

// deletePool deletes a pool, and often makes it again soon.
func (w *world) deletePool() {
	pools := w.keys("IPAddressPool")
	if len(pools) == 0 {
		return
	}
	key := pick(w, pools)
	object, err := w.server.get("IPAddressPool", key)
	if err != nil {
		return
	}
	w.note("pool %s is deleted", key.Name)
	w.remove("IPAddressPool", key)
	if w.chance(0.7) {
		time.Sleep(w.within(w.poolGrace * 3 / 2))
		w.note("pool %s is made again", key.Name)
		w.make(&v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: key.Name}, Spec: object.(*v1beta1.IPAddressPool).Spec})
	}
}
