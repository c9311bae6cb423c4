package reconcile

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// written is the metadata of an object as the API server sends it.
func written(name string, i int) metav1.ObjectMeta {
	fields := &metav1.FieldsV1{}
	fields.SetRawString(`{"f:metadata":{"f:labels":{"f:app.kubernetes.io/name":{}}},"f:spec":{"f:ports":{"k:{\"port\":80}":{}}}}`)
	return metav1.ObjectMeta{
		Namespace: fmt.Sprint("tenant-", i%1000), Name: name, UID: uuid.NewUUID(), ResourceVersion: strconv.Itoa(100_000_000 + i), Generation: 1,
		CreationTimestamp: metav1.Now().Rfc3339Copy(), Labels: map[string]string{"app.kubernetes.io/name": name},
		ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply, APIVersion: "v1", FieldsType: "FieldsV1",
			FieldsV1: fields,
		}},
	}
}

// writtenService is a Service with an address as the API server sends it.
func writtenService(i int) *corev1.Service {
	name, addr := fmt.Sprint("storefront-", i), crashAddress(i).String()
	s := &corev1.Service{ObjectMeta: written(name, i), Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, IPFamilyPolicy: ptr.To(corev1.IPFamilyPolicySingleStack),
		ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyCluster, InternalTrafficPolicy: ptr.To(corev1.ServiceInternalTrafficPolicyCluster),
		ClusterIP: addr, ClusterIPs: []string{addr}, Selector: map[string]string{"app.kubernetes.io/name": name}, AllocateLoadBalancerNodePorts: ptr.To(true),
		SessionAffinity: corev1.ServiceAffinityNone,
		Ports:           []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromInt32(8080), NodePort: 30000}},
	}}
	if i%4 == 0 {
		s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: addr, IPMode: ptr.To(corev1.LoadBalancerIPModeVIP)}}
	s.Status.Conditions = []metav1.Condition{
		{Type: v1beta1.ConditionAddressAssigned, Status: metav1.ConditionTrue, Reason: "Assigned", Message: addr + " of pool " + []string{"lan", "wan"}[i%2]},
		{Type: v1beta1.ConditionAnnounced, Status: metav1.ConditionTrue, Reason: "Announced", Message: "announced by L2Advertisement l2"},
		{Type: v1beta1.ConditionProvenance, Status: metav1.ConditionTrue, Reason: "Allocated", Message: fmt.Sprintf("class=%s %s=%s", v1beta1.LoadBalancerClass, addr, []string{"lan", "wan"}[i%2])},
	}
	return s
}

// writtenSlice is its EndpointSlice with three endpoints.
func writtenSlice(i int) *discoveryv1.EndpointSlice {
	name := fmt.Sprint("storefront-", i)
	s := &discoveryv1.EndpointSlice{ObjectMeta: written(name+"-x7k2p", i), AddressType: discoveryv1.AddressTypeIPv4}
	s.Labels = map[string]string{discoveryv1.LabelServiceName: name, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io", "app.kubernetes.io/name": name}
	s.Ports = []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To(int32(8080)), Protocol: ptr.To(corev1.ProtocolTCP)}}
	for n := range 3 {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{fmt.Sprintf("203.0.113.%d", i%250)}, NodeName: ptr.To(fmt.Sprint("n", n+1)), Zone: ptr.To("zone-a"),
			Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true), Serving: ptr.To(true), Terminating: ptr.To(false)},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: s.Namespace, Name: fmt.Sprint(name, "-", n), UID: uuid.NewUUID()},
		})
	}
	return s
}

// decoded puts an object into a cache as it comes from the wire: no two objects share a text.
func decoded[T interface {
	client.Object
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}](b *testing.B, s *crashScene, from, into T) {
	b.Helper()
	wire, err := from.Marshal()
	if err == nil {
		err = into.Unmarshal(wire)
	}
	if err == nil {
		err = s.cache.PutAs(into, *s.options)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// inUse is the memory that is not garbage.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkLoop_Memory is the memory of a Service and its EndpointSlice with three endpoints in a speaker, with 100,000 of them: what its
// cache takes, and all, when it has announced them; but for what its sockets keep of them: layer 2, BGP, and the claims of the others.
func BenchmarkLoop_Memory(b *testing.B) {
	const services = 100_000
	for b.Loop() {
		s := newScaleScene(b, 0)
		before := inUse()
		for i := range services {
			decoded(b, s, writtenService(i), &corev1.Service{})
			decoded(b, s, writtenSlice(i), &discoveryv1.EndpointSlice{})
		}
		cached := inUse()
		s.settle(b, services/2)
		all := inUse()
		b.ReportMetric(float64(cached-before)/services, "B/Service-cache")
		b.ReportMetric(float64(all-before)/services, "B/Service")
		runtime.KeepAlive(s)
	}
}
