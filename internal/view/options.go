package view

import (
	"strings"
	"unique"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Options makes caches that keep of each object only what Daymark reads, which is most of the difference between a
// small and a large process. An object of these caches is therefore never to be written back whole: write patches.
// Secrets are read in one namespace only, the one Daymark runs in.
func Options(scheme *runtime.Scheme, namespace string) cache.Options {
	return cache.Options{
		Scheme:           scheme,
		NewInformer:      (&patience{}).newInformer,
		DefaultTransform: strip(func(client.Object) {}),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Service{}:            {Transform: strip(stripService)},
			&discoveryv1.EndpointSlice{}: {Transform: strip(stripEndpointSlice)},
			&corev1.Node{}:               {Transform: strip(stripNode)},
			&corev1.Namespace{}:          {Transform: strip(stripNamespace)},
			// A selector by field and not by Namespaces: the cache then has one informer, with a store.
			&corev1.Secret{}: {Field: fields.OneTermEqualSelector("metadata.namespace", namespace)},
		},
	}
}

// strip makes a transform of a function that knows one kind. What no kind needs goes first.
func strip[T client.Object](kind func(T)) func(any) (any, error) {
	return func(item any) (any, error) {
		if object, ok := item.(metav1.Object); ok {
			object.SetManagedFields(nil)
			object.SetFinalizers(nil)
			object.SetOwnerReferences(nil)
			object.SetAnnotations(without(object.GetAnnotations(), "kubectl.kubernetes.io/last-applied-configuration"))
		}
		if object, ok := item.(T); ok {
			kind(object)
		}
		return item, nil
	}
}

// stripService keeps what lb.ParseService reads, and the conditions that are ours. Of a Service that is no load balancer
// only what we may have left on it is of interest.
func stripService(s *corev1.Service) {
	s.Annotations = ours(s.Annotations)
	s.Status.Conditions = ourConditions(s.Status.Conditions)
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		s.Labels = nil
		s.Spec = corev1.ServiceSpec{Type: s.Spec.Type}
		return
	}
	s.Spec.ClusterIP, s.Spec.ClusterIPs, s.Spec.ExternalIPs, s.Spec.LoadBalancerSourceRanges = "", nil, nil, nil
	s.Spec.SessionAffinityConfig, s.Spec.TrafficDistribution, s.Spec.InternalTrafficPolicy = nil, nil, nil
	ports := make([]corev1.ServicePort, len(s.Spec.Ports))
	for i := range s.Spec.Ports {
		ports[i] = corev1.ServicePort{Protocol: intern(s.Spec.Ports[i].Protocol), Port: s.Spec.Ports[i].Port}
	}
	s.Spec.Ports = ports
}

// stripEndpointSlice keeps what lb.ParseEndpointSlice reads.
func stripEndpointSlice(s *discoveryv1.EndpointSlice) {
	s.Annotations = nil
	s.Labels = map[string]string{discoveryv1.LabelServiceName: s.Labels[discoveryv1.LabelServiceName]}
	s.Ports = nil
	for i := range s.Endpoints {
		endpoint := &s.Endpoints[i]
		kept := discoveryv1.Endpoint{Addresses: endpoint.Addresses[:min(1, len(endpoint.Addresses))], Conditions: endpoint.Conditions}
		if endpoint.NodeName != nil {
			name := intern(*endpoint.NodeName)
			kept.NodeName = &name
		}
		*endpoint = kept
	}
}

// stripNode keeps what lb.ParseNode reads, and all annotations: a BGPPeer may name any. Heartbeats go, so that a node
// that merely reports that it is alive has not changed.
func stripNode(n *corev1.Node) {
	n.Spec = corev1.NodeSpec{Unschedulable: n.Spec.Unschedulable, Taints: n.Spec.Taints}
	kept := corev1.NodeStatus{Addresses: n.Status.Addresses}
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeNetworkUnavailable || condition.Type == corev1.NodeReady {
			kept.Conditions = append(kept.Conditions, corev1.NodeCondition{Type: condition.Type, Status: condition.Status})
		}
	}
	n.Status = kept
}

// stripNamespace keeps the labels.
func stripNamespace(n *corev1.Namespace) {
	n.Annotations, n.Spec, n.Status = nil, corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
}

// ours keeps the annotations that Daymark reads.
func ours(annotations map[string]string) map[string]string {
	var kept map[string]string
	for key, value := range annotations {
		if strings.HasPrefix(key, v1beta1.GroupVersion.Group+"/") || isAlias(key) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}

func isAlias(key string) bool {
	return key == v1beta1.AliasLoadBalancerIPs || key == v1beta1.AliasAddressPool || key == v1beta1.AliasAllowSharedIP
}

func ourConditions(conditions []metav1.Condition) []metav1.Condition {
	var kept []metav1.Condition
	for _, condition := range conditions {
		if strings.HasPrefix(condition.Type, v1beta1.GroupVersion.Group+"/") {
			kept = append(kept, condition)
		}
	}
	return kept
}

func without(annotations map[string]string, key string) map[string]string {
	delete(annotations, key) // of an object that no one else has seen yet
	if len(annotations) == 0 {
		return nil
	}
	return annotations
}

// intern keeps one copy of a text that many objects have.
func intern[S ~string](text S) S { return unique.Make(text).Value() }

// sameButVersion reports whether two versions of an object are equal in all that the cache keeps of them.
func sameButVersion(before, after client.Object) bool {
	if before.GetResourceVersion() == after.GetResourceVersion() {
		return true
	}
	node, ok := before.(*corev1.Node)
	now, alsoNode := after.(*corev1.Node)
	if !ok || !alsoNode {
		return false // only nodes are written again and again without a change
	}
	past := *node
	past.ResourceVersion = now.ResourceVersion
	return equality.Semantic.DeepEqual(&past, now)
}
