package informer

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestOptions_StrippedObjectsParseTheSame(t *testing.T) {
	t.Run("a load balancer", func(t *testing.T) {
		whole, stripped := service(corev1.ServiceTypeLoadBalancer), service(corev1.ServiceTypeLoadBalancer)
		apply(t, strip(stripService(classes)), stripped)
		same(t, lb.ParseService(whole), lb.ParseService(stripped))
		if len(stripped.ManagedFields)+len(stripped.Spec.ClusterIPs) > 0 || stripped.Annotations["other"] != "" {
			t.Errorf("kept too much: %+v", stripped)
		}
		if len(stripped.Status.Conditions) != 1 || stripped.Status.Conditions[0].Type != "daymark.io/AddressAssigned" {
			t.Errorf("conditions %v, want only those of Daymark", stripped.Status.Conditions)
		}
	})
	for key, value := range map[string]string{
		"daymark.io/load-balancer-ips": "192.0.2.1", "daymark.io/allow-shared-ip": "key", "daymark.io/allow-shared-ip-namespaces": "shop",
		"daymark.io/provider": "metallb", "daymark.io/last-addresses": "192.0.2.1", "daymark.io/ip-mode": "Proxy",
		"metallb.io/address-pool": "blue", "metallb.universe.tf/loadBalancerIPs": "192.0.2.1", "metallb.universe.tf/address-pool": "blue",
		"metallb.universe.tf/allow-shared-ip": "key",
	} {
		t.Run(key, func(t *testing.T) {
			whole, stripped, bare := service(corev1.ServiceTypeLoadBalancer), service(corev1.ServiceTypeLoadBalancer), service(corev1.ServiceTypeLoadBalancer)
			whole.Annotations, stripped.Annotations, bare.Annotations = map[string]string{key: value}, map[string]string{key: value}, nil
			whole.Spec.LoadBalancerIP, stripped.Spec.LoadBalancerIP, bare.Spec.LoadBalancerIP = "", "", "" // it says the same
			apply(t, strip(stripService(classes)), stripped)
			same(t, lb.ParseService(whole), lb.ParseService(stripped))
			if reflect.DeepEqual(lb.ParseService(whole), lb.ParseService(bare)) {
				t.Error("the annotation says nothing")
			}
		})
	}
	t.Run("an endpoint slice", func(t *testing.T) {
		whole, stripped := endpointSlice(), endpointSlice()
		apply(t, strip(stripEndpointSlice), stripped)
		same(t, lb.ParseEndpointSlice(whole), lb.ParseEndpointSlice(stripped))
		if stripped.Ports != nil || stripped.Endpoints[0].Zone != nil || stripped.Endpoints[3].Hints.ForZones != nil {
			t.Errorf("kept too much: %+v", stripped)
		}
	})
	t.Run("a node", func(t *testing.T) {
		whole, stripped := node(), node()
		delete(whole.Annotations, "kubectl.kubernetes.io/last-applied-configuration") // which nobody asks for
		apply(t, strip(stripNode), stripped)
		same(t, lb.ParseNode(whole), lb.ParseNode(stripped))
		if stripped.Status.Images != nil {
			t.Errorf("kept too much: %+v", stripped)
		}
	})
}

func TestOptions_KeepLittleOfOtherServices(t *testing.T) {
	stripped := service(corev1.ServiceTypeClusterIP)
	apply(t, strip(stripService(classes)), stripped)
	if stripped.Labels != nil || len(stripped.Spec.Ports) != 1 || stripped.Spec.Ports[0].TargetPort.StrVal != "" {
		t.Errorf("kept too much, or not the ports at its externalIPs: %+v", stripped)
	}
	usual := service(corev1.ServiceTypeClusterIP)
	usual.Spec.ExternalIPs = nil
	if apply(t, strip(stripService(classes)), usual); usual.Spec.Ports != nil {
		t.Errorf("kept too much: %+v", usual)
	}
	if stripped.Annotations["daymark.io/pool"] != "blue" || len(stripped.Status.Conditions) != 1 {
		t.Errorf("what Daymark wrote is lost: %+v", stripped)
	}
}

func TestOptions_BoundWhatUsersWrite(t *testing.T) {
	large := strings.Repeat("x", 200_000)
	for _, test := range []struct {
		name   string
		change func(*corev1.Service)
		// refused: the parser says that something is too long.
		refused bool
	}{
		{"annotations", func(s *corev1.Service) {
			for key := range s.Annotations {
				s.Annotations[key] = large
			}
		}, true},
		{"annotations nobody knows", func(s *corev1.Service) {
			for i := range 1000 {
				s.Annotations[fmt.Sprintf("daymark.io/key-%d", i)] = large[:200]
			}
		}, false},
		{"annotations of another class", func(s *corev1.Service) {
			other := "example.com/other"
			s.Spec.LoadBalancerClass = &other
			s.Annotations["daymark.io/load-balancer-ips"] = large
		}, false},
		{"the requested address", func(s *corev1.Service) { s.Spec.LoadBalancerIP = large }, true},
		{"labels", func(s *corev1.Service) {
			for i := range 10_000 {
				s.Labels[fmt.Sprintf("key-%d", i)] = "value"
			}
		}, true},
		{"ports", func(s *corev1.Service) { s.Spec.Ports = make([]corev1.ServicePort, 40_000) }, true},
		{"names of ports", func(s *corev1.Service) { s.Spec.Ports[0].Name = large }, false},
		{"the external name", func(s *corev1.Service) { s.Spec.ExternalName = large }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := service(corev1.ServiceTypeLoadBalancer)
			test.change(s)
			apply(t, strip(stripService(classes)), s)
			if size := s.Size(); size > 16_000 {
				t.Errorf("%d bytes are kept", size)
			}
			if err := lb.ParseService(s).RequestError; (err != nil) != test.refused {
				t.Errorf("it is read with the error %v", err)
			}
		})
	}
	t.Run("annotations of a node", func(t *testing.T) {
		n := node()
		n.Annotations["large"] = large
		apply(t, strip(stripNode), n)
		if n.Size() > 2000 {
			t.Errorf("%d bytes are kept", n.Size())
		}
	})
	t.Run("labels of a namespace", func(t *testing.T) {
		n := &corev1.Namespace{ObjectMeta: metadata()}
		n.Annotations["daymark.io/provider"] = strings.Repeat("x", 10_000)
		for i := range 10_000 {
			n.Labels[fmt.Sprintf("key-%d", i)] = "value"
		}
		n.Annotations["daymark.io/provider"] = large
		apply(t, strip(stripNamespace), n)
		if n.Size() > 2000 || lb.Provider(n) == "" {
			t.Errorf("%d bytes are kept", n.Size())
		}
	})
}

var classes = lb.Classes{Name: "daymark.io/daymark", Classless: true}

func TestUnchanged_IgnoresHeartbeats(t *testing.T) {
	before, after := node(), node()
	after.ResourceVersion = "2"
	after.Status.Conditions[0].LastHeartbeatTime = metav1.Now()
	apply(t, strip(stripNode), before)
	apply(t, strip(stripNode), after)
	if !Unchanged(before, after) {
		t.Error("a heartbeat of a node is a change")
	}
	after.Labels = map[string]string{"new": ""}
	if Unchanged(before, after) {
		t.Error("a new label of a node is no change")
	}
}

func apply(t *testing.T, transform func(any) (any, error), object any) {
	t.Helper()
	if _, err := transform(object); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, whole, stripped any) {
	t.Helper()
	if !reflect.DeepEqual(whole, stripped) {
		t.Errorf("the whole object reads\n%+v\nthe stripped one\n%+v", whole, stripped)
	}
}

func metadata() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: "default", Name: "web", UID: "8b0c", ResourceVersion: "1", CreationTimestamp: metav1.Unix(1, 0),
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "someone"}},
		Labels:        map[string]string{"app": "web", discoveryv1.LabelServiceName: "web"},
		Annotations: map[string]string{
			"daymark.io/pool": "blue", "daymark.io/address-pool": "blue,red", "metallb.io/loadBalancerIPs": "192.0.2.1,2001:db8::1",
			"metallb.io/allow-shared-ip": "key", "other": "value", "kubectl.kubernetes.io/last-applied-configuration": "{}",
		},
	}
}

func service(kind corev1.ServiceType) *corev1.Service {
	near := corev1.ServiceTrafficDistributionPreferSameNode
	dual, class := corev1.IPFamilyPolicyPreferDualStack, "daymark.io/daymark"
	vip := corev1.LoadBalancerIPModeVIP
	s := &corev1.Service{ObjectMeta: metadata(), Spec: corev1.ServiceSpec{
		Type: kind, LoadBalancerClass: &class, ClusterIP: "198.18.0.1", ClusterIPs: []string{"198.18.0.1"}, ExternalIPs: []string{"192.0.2.7"},
		IPFamilies: []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}, IPFamilyPolicy: &dual,
		Ports:                 []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromInt32(8080), NodePort: 30000}},
		ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal, HealthCheckNodePort: 30001,
		Selector: map[string]string{"app": "web"}, SessionAffinity: corev1.ServiceAffinityClientIP, LoadBalancerIP: "192.0.2.1", PublishNotReadyAddresses: true,
		TrafficDistribution: &near,
	}}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1", IPMode: &vip}}
	s.Status.Conditions = []metav1.Condition{{Type: "daymark.io/AddressAssigned"}, {Type: "other.io/Something"}}
	return s
}

func endpointSlice() *discoveryv1.EndpointSlice {
	yes, node, zone := true, "n1", "z1"
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metadata(), AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{}},
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"10.0.0.1", "10.0.0.2"}, NodeName: &node, Zone: &zone, Conditions: discoveryv1.EndpointConditions{Ready: &yes}},
			{Addresses: []string{"10.0.0.3"}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Serving: &yes, Terminating: &yes}},
			{Addresses: []string{"10.0.0.4"}, Hints: &discoveryv1.EndpointHints{
				ForZones: []discoveryv1.ForZone{{Name: zone}}, ForNodes: []discoveryv1.ForNode{{Name: node}},
			}},
			{Addresses: []string{"10.0.0.5"}, Hints: &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: zone}, {Name: "z2"}}}},
		},
	}
}

func node() *corev1.Node {
	n := &corev1.Node{ObjectMeta: metadata(), Spec: corev1.NodeSpec{
		PodCIDR: "10.0.0.0/24", Unschedulable: true, Taints: []corev1.Taint{{Key: corev1.TaintNodeOutOfService}},
	}}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.11"}}
	n.Status.Images = []corev1.ContainerImage{{Names: []string{"image"}}}
	n.Status.Conditions = []corev1.NodeCondition{
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now()},
		{Type: corev1.NodeNetworkUnavailable, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now()},
	}
	return n
}

func TestOptions_KeepTheFinalizerOfOursOnly(t *testing.T) {
	transform := strip(stripService(lb.Classes{Name: v1beta1.LoadBalancerClass}))
	for _, test := range []struct{ has, want []string }{
		{[]string{"example.com/other", v1beta1.FinalizerCleanup}, []string{v1beta1.FinalizerCleanup}},
		{[]string{"example.com/other"}, nil},
	} {
		s := service(corev1.ServiceTypeClusterIP)
		s.Finalizers = test.has
		if _, err := transform(s); err != nil || !slices.Equal(s.Finalizers, test.want) {
			t.Errorf("of %v the cache keeps %v (%v)", test.has, s.Finalizers, err)
		}
	}
}

func TestOnlyTextChanged(t *testing.T) {
	condition := func(kind, message string) func(*corev1.Service) {
		return func(s *corev1.Service) {
			s.Status.Conditions = append(s.Status.Conditions, metav1.Condition{Type: kind, Message: message})
		}
	}
	for _, test := range []struct {
		name   string
		change func(*corev1.Service)
		want   bool
	}{
		{"a text for people", condition("daymark.io/Announced", "by BGP"), true},
		{"where an address came from", condition("daymark.io/Provenance", "192.0.2.1=blue"), false},
		{"an address", func(s *corev1.Service) {
			condition("daymark.io/Announced", "by BGP")(s)
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.77"}}
		}, false},
		{"a label", func(s *corev1.Service) { s.Labels = map[string]string{"a": "b"} }, false},
		{"a port", func(s *corev1.Service) { s.Spec.Ports = nil }, false},
		{"that it is being deleted", func(s *corev1.Service) { now := metav1.Now(); s.DeletionTimestamp = &now }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, after := service(corev1.ServiceTypeLoadBalancer), service(corev1.ServiceTypeLoadBalancer)
			after.ResourceVersion = "9"
			test.change(after)
			if got := OnlyTextChanged(before, after); got != test.want {
				t.Errorf("it is %v", got)
			}
		})
	}
}
