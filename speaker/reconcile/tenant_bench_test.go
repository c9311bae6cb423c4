package reconcile

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
	"github.com/daymark-lb/daymark/internal/informer/informertest"
	"github.com/daymark-lb/daymark/internal/loop"
	"github.com/daymark-lb/daymark/internal/tenanttest"
)

// tenantScene is a speaker on one of a hundred nodes whose caches a benchmark fills. All addresses are announced by both protocols.
type tenantScene struct {
	*fixture
	cache   *informertest.Cache
	options cache.Options
	// edits so far.
	edits int
}

func newTenantScene(b *testing.B) *tenantScene {
	b.Helper()
	classes := lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}
	s := &tenantScene{fixture: newFixture(b), cache: informertest.New(), options: informer.SpeakerOptions(nil, "daymark-system", classes, "n1")}
	kinds := newListers(s.cache, noSpeakers{}, "n1", "daymark-system")
	s.read = func(ctx context.Context) (*snapshot, error) { return kinds.read(ctx, classes, announce.Options{}) }
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: "1"}
	}
	for i := range 100 {
		s.cache.Put(&corev1.Node{ObjectMeta: meta(fmt.Sprint("n", i))})
	}
	s.cache.Put(&v1beta1.Speaker{ObjectMeta: meta("n1"), Status: v1beta1.SpeakerStatus{GossipAddress: s.gossip.Address().String()}})
	s.cache.Put(&v1beta1.IPAddressPool{ObjectMeta: meta("lan"), Spec: v1beta1.IPAddressPoolSpec{Addresses: []v1beta1.AddressRange{"192.0.2.0/24"}}})
	s.cache.Put(&v1beta1.L2Advertisement{ObjectMeta: meta("l2")})
	s.cache.Put(&v1beta1.BGPAdvertisement{ObjectMeta: meta("bgp")})
	asn := int64(64513)
	s.cache.Put(&v1beta1.BGPPeer{ObjectMeta: meta("router"), Spec: v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: &asn, PeerAddress: "192.0.2.1"}})
	return s
}

// put puts a Service into the cache as it is after an edit. It has an address.
func (s *tenantScene) put(b *testing.B, from *corev1.Service) *corev1.Service {
	b.Helper()
	s.edits++
	edited := *from
	edited.ResourceVersion = strconv.Itoa(s.edits)
	edited.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.200"}}
	edited.Status.Conditions = []metav1.Condition{
		{Type: v1beta1.ConditionAddressAssigned}, {Type: v1beta1.ConditionProvenance, Message: "class=" + v1beta1.LoadBalancerClass + " 192.0.2.200=lan"},
	}
	if err := s.cache.PutAs(&edited, s.options); err != nil {
		b.Fatal(err)
	}
	return &edited
}

// putSlice puts an EndpointSlice into the cache in which some endpoints are not ready.
func (s *tenantScene) putSlice(b *testing.B, from *discoveryv1.EndpointSlice) {
	b.Helper()
	s.edits++
	edited, unready := *from, false
	edited.UID, edited.ResourceVersion = types.UID(from.Name), strconv.Itoa(s.edits)
	edited.Endpoints = make([]discoveryv1.Endpoint, len(from.Endpoints))
	for i := range edited.Endpoints {
		edited.Endpoints[i] = from.Endpoints[i]
		if (i+s.edits)%3 == 0 {
			edited.Endpoints[i].Conditions.Ready = &unready
		}
	}
	if err := s.cache.PutAs(&edited, s.options); err != nil {
		b.Fatal(err)
	}
}

func (s *tenantScene) reconcile(b *testing.B) {
	b.Helper()
	s.calls = nil
	if _, err := s.Reconcile(b.Context(), loop.Wake{}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLoop_TenantEdit is what the largest edit of a Service costs a speaker, in each way that a user of one namespace has: all
// from the informer's transform to what the executors are given. "no edit" is the pass alone.
func BenchmarkLoop_TenantEdit(b *testing.B) {
	for _, way := range append(tenanttest.Ways, tenanttest.WithinBounds, "no edit") {
		b.Run(way, func(b *testing.B) {
			s, from := newTenantScene(b), tenanttest.Service(way)
			from.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			s.putSlice(b, tenanttest.EndpointSlice(0))
			s.put(b, from)
			b.ReportAllocs()
			for b.Loop() {
				if way != "no edit" {
					s.put(b, from)
				}
				s.reconcile(b)
			}
		})
	}
}

// BenchmarkLoop_TenantEndpoints is what an edit of one EndpointSlice costs a speaker, in which a third of its thousand endpoints
// change, when the Service has as many endpoints as are read, each on a node of its own. The Service shares its address with another
// under externalTrafficPolicy Local, so that endpoints of both count.
func BenchmarkLoop_TenantEndpoints(b *testing.B) {
	s := newTenantScene(b)
	for _, name := range []string{"web", "other"} {
		service := tenanttest.Service("")
		service.Name, service.UID = name, types.UID(name)
		service.Annotations["daymark.io/allow-shared-ip"] = "key"
		service.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		s.put(b, service)
	}
	from := make([]*discoveryv1.EndpointSlice, 16)
	for i := range from {
		from[i] = tenanttest.EndpointSlice(i)
		s.putSlice(b, from[i])
	}
	other := tenanttest.EndpointSlice(20)
	other.Labels[discoveryv1.LabelServiceName] = "other"
	s.putSlice(b, other)
	s.reconcile(b)
	b.ReportAllocs()
	for b.Loop() {
		s.putSlice(b, from[s.edits%16])
		s.reconcile(b)
	}
}
