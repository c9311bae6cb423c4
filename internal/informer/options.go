package informer

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

// Options makes caches that keep of each object only what Daymark reads: that is most of the memory of a process in a large
// cluster. Never write an object of these caches back whole; write patches. Secrets are read only in the given namespace, the
// one that Daymark runs in.
func Options(scheme *runtime.Scheme, namespace string) cache.Options {
	return cache.Options{
		Scheme:           scheme,
		NewInformer:      (&retrier{}).newInformer,
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

// strip makes a transform of a function for one kind. The transform first removes what Daymark needs of no kind.
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

// stripService keeps what lb.ParseService reads, and Daymark's own conditions. Of a Service of another type it keeps only what
// Daymark may have written when it was a load balancer.
func stripService(s *corev1.Service) {
	s.Annotations = ownAnnotations(s.Annotations)
	s.Status.Conditions = ownConditions(s.Status.Conditions)
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

// stripNode keeps what lb.ParseNode reads, and all annotations, since a BGPPeer may name any. It removes the times of
// heartbeats, so that a node that only reports that it is alive has not changed.
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

// ownAnnotations keeps the annotations that Daymark reads.
func ownAnnotations(annotations map[string]string) map[string]string {
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

// ownConditions keeps the conditions that Daymark writes.
func ownConditions(conditions []metav1.Condition) []metav1.Condition {
	var kept []metav1.Condition
	for _, condition := range conditions {
		if strings.HasPrefix(condition.Type, v1beta1.GroupVersion.Group+"/") {
			kept = append(kept, condition)
		}
	}
	return kept
}

// without removes a key. The object is not in the cache yet, so nobody else reads it.
func without(annotations map[string]string, key string) map[string]string {
	delete(annotations, key)
	if len(annotations) == 0 {
		return nil
	}
	return annotations
}

// intern returns the one copy that is kept of a string that many objects have.
func intern[S ~string](text S) S { return unique.Make(text).Value() }

// Unchanged reports whether two versions of an object are equal in all that the cache keeps of them. Only Nodes are compared,
// since they are written again and again without a change; another object is unchanged if its resourceVersion is.
func Unchanged(before, after client.Object) bool {
	if before.GetResourceVersion() == after.GetResourceVersion() {
		return true
	}
	node, ok := before.(*corev1.Node)
	now, alsoNode := after.(*corev1.Node)
	if !ok || !alsoNode {
		return false
	}
	past := *node
	past.ResourceVersion = now.ResourceVersion
	return equality.Semantic.DeepEqual(&past, now)
}
