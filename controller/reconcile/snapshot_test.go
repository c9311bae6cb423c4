package reconcile

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer/informertest"
)

func TestCachedService_SameButText(t *testing.T) {
	service := func() *corev1.Service {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "uid", ResourceVersion: "1"}}
		s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Protocol: "TCP", Port: 80}}}
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}
		s.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionProvenance, Message: "192.0.2.1=blue"}}
		s.Finalizers = []string{v1beta1.FinalizerCleanup}
		return s
	}
	for _, test := range []struct {
		name   string
		change func(*corev1.Service)
		want   bool
	}{
		{"a text for people", func(s *corev1.Service) {
			s.Status.Conditions = append(s.Status.Conditions, metav1.Condition{Type: v1beta1.ConditionAnnounced}, metav1.Condition{Type: v1beta1.ConditionAddressAssigned})
		}, true},
		{"where an address came from", func(s *corev1.Service) { s.Status.Conditions[0].Message = "192.0.2.1=red" }, false},
		{"an address", func(s *corev1.Service) { s.Status.LoadBalancer.Ingress[0].IP = "192.0.2.77" }, false},
		{"a label", func(s *corev1.Service) { s.Labels = map[string]string{"a": "b"} }, false},
		{"a port", func(s *corev1.Service) { s.Spec.Ports = nil }, false},
		{"that it is being deleted", func(s *corev1.Service) { now := metav1.Now(); s.DeletionTimestamp = &now }, false},
		{"the finalizer", func(s *corev1.Service) { s.Finalizers = nil }, false},
		{"the annotation with its addresses", func(s *corev1.Service) { s.Annotations = map[string]string{v1beta1.AnnotationLastAddresses: ""} }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			after := service()
			after.ResourceVersion = "9"
			test.change(after)
			if got := parseService(service()).SameButText(parseService(after)); got != test.want {
				t.Errorf("it is %v", got)
			}
		})
	}
}

// A Service in a namespace that names a provider is the same one in each pass, so that it does not count as changed.
func TestSnapshot_ServicesWithAProviderStayTheSame(t *testing.T) {
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default", UID: "default", ResourceVersion: "1"}}
	shop.Annotations = map[string]string{v1beta1.AnnotationProvider: v1beta1.ProviderDaymark}
	s := sceneOf(informertest.New(shop, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "a", ResourceVersion: "1"}}), Config{})
	s.caughtUp = true
	look := func() *lb.Service {
		t.Helper()
		seen, err := s.look(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return seen.Services[0]
	}
	before := look()
	if again := look(); again != before || again.Provider != v1beta1.ProviderDaymark {
		t.Errorf("it is another Service, or has the provider %q", again.Provider)
	}
	shop = shop.DeepCopy()
	shop.ResourceVersion, shop.Annotations[v1beta1.AnnotationProvider] = "2", "metallb"
	s.cache.Put(shop)
	if now := look(); now.Provider != "metallb" {
		t.Errorf("it has the provider %q", now.Provider)
	}
}
