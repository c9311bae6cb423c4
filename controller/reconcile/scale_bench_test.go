package reconcile

import (
	"fmt"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/cputime"
)

// scaleScene is a controller whose caches hold some Services that are as it wrote them, each with an EndpointSlice.
type scaleScene struct {
	*scene
	services []*corev1.Service
	slices   []*discoveryv1.EndpointSlice
	edits    int
}

func newScaleScene(b fatal, services int) *scaleScene { return newScaleSceneOf(b, Config{}, services) }

func newScaleSceneOf(b fatal, c Config, services int) *scaleScene {
	s := &scaleScene{scene: newScene(c)}
	s.classes.Name = v1beta1.LoadBalancerClass // without a name no provenance is ours
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "blue", UID: "blue", ResourceVersion: "2"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{"10.0.0.0/14"}
	s.cache.Put(pool)
	for range services {
		s.add()
	}
	if _, err := s.pass(b.Context()); err != nil {
		b.Fatal(err)
	}
	s.store()
	return s
}

// add adds a Service that has no address yet.
func (s *scaleScene) add() {
	name := fmt.Sprint("web-", len(s.services))
	meta := metav1.ObjectMeta{
		Namespace: "default", Name: name, UID: types.UID(name), ResourceVersion: "1", CreationTimestamp: metav1.Unix(int64(len(s.services)), 0),
	}
	service := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Protocol: "TCP", Port: 80}}, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
	}}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: name}
	for _, address := range []string{"203.0.113.1", "203.0.113.2", "203.0.113.3"} {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}, NodeName: ptr.To("n1")})
	}
	s.services, s.slices = append(s.services, service), append(s.slices, slice)
	s.cache.Put(service)
	s.cache.Put(slice)
}

// store puts into the cache what the controller is about to write of Services, as if it were written.
func (s *scaleScene) store() {
	written := map[string]*serviceWrite{}
	for _, list := range s.writer.pending {
		for _, one := range list {
			if one.service != nil {
				written[one.key.name] = one.service
			}
		}
	}
	for i, service := range s.services {
		w := written[service.Name]
		if w == nil {
			continue
		}
		s.storeOne(i, w)
	}
}

// storeOne puts a Service into the cache as a write makes it.
func (s *scaleScene) storeOne(i int, w *serviceWrite) {
	edited := *s.services[i]
	edited.ResourceVersion = "w" + edited.ResourceVersion
	edited.Status.LoadBalancer.Ingress, edited.Status.Conditions = w.desired.Ingress, w.desired.Conditions
	s.services[i] = &edited
	s.cache.Put(&edited)
}

// BenchmarkLoop_OneChanged is what a pass costs, by the number of Services: when an endpoint of one of them has changed, when there is
// one more, which gets an address, when a Node has another annotation that nobody reads, and when nothing has changed.
func BenchmarkLoop_OneChanged(b *testing.B) {
	for _, services := range []int{1000, 10000, 100000} {
		b.Run(strconv.Itoa(services), func(b *testing.B) { benchmarkOneChanged(b, newScaleScene(b, services)) })
	}
}

func benchmarkOneChanged(b *testing.B, s *scaleScene) {
	pass := func(b *testing.B) {
		b.Helper()
		if _, err := s.pass(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	pass(b)
	for name, change := range map[string]func(){
		"endpoint": func() {
			at := s.edits * 7 % len(s.slices)
			edited := s.slices[at].DeepCopy()
			edited.ResourceVersion = strconv.Itoa(2 + s.edits)
			edited.Endpoints[s.edits%3].Conditions.Ready = ptr.To(s.edits%2 == 0)
			s.slices[at] = edited
			s.cache.Put(edited)
		},
		"Service": s.add,
		"annotation of a Node": func() {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "n1", ResourceVersion: strconv.Itoa(100 + s.edits)}}
			node.Annotations = map[string]string{"example.com/seen": strconv.Itoa(s.edits)}
			s.cache.Put(node)
		},
		"nothing": func() {},
	} {
		b.Run(name, func(b *testing.B) {
			s.edits++
			change() // The first change of a kind is not like those that follow.
			pass(b)
			b.ReportAllocs()
			began := cputime.Used(b)
			for b.Loop() {
				s.edits++
				change()
				pass(b)
			}
			cputime.Report(b, began)
		})
	}
}
