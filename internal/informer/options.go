package informer

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Options makes caches that keep of each object only what Daymark reads: that is most of the memory of a process in a large
// cluster. Of EndpointSlices it is the parsed value alone. Never write an object of these caches back whole; write patches. What
// users may make as long as they like is bounded before it is kept. Secrets are read only in the given namespace, the one that Daymark runs in. Of Services of
// classes that Daymark does not serve no request is kept.
func Options(scheme *runtime.Scheme, namespace string, classes lb.Classes) cache.Options {
	return cache.Options{
		Scheme:           scheme,
		NewInformer:      (&retrier{}).newInformer,
		DefaultTransform: strip(func(client.Object) {}),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Service{}:            {Transform: strip(stripService(classes))},
			&discoveryv1.EndpointSlice{}: {Transform: keep(strip(stripEndpointSlice), lb.ParseEndpointSlice)},
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
			object.SetNamespace(*intern(object.GetNamespace()))
			object.SetManagedFields(nil)
			object.SetFinalizers(ownFinalizers(object.GetFinalizers()))
			object.SetOwnerReferences(nil)
			object.SetAnnotations(without(object.GetAnnotations(), "kubectl.kubernetes.io/last-applied-configuration"))
		}
		if object, ok := item.(T); ok {
			kind(object)
		}
		return item, nil
	}
}

// stripService keeps what lb.ParseService reads, and Daymark's own conditions. Of a Service of another type or class it
// keeps only what Daymark may have written when the Service was its own.
func stripService(classes lb.Classes) func(*corev1.Service) {
	return func(s *corev1.Service) {
		balancer := s.Spec.Type == corev1.ServiceTypeLoadBalancer
		s.Status.Conditions = ownConditions(s.Status.Conditions)
		var kept map[string]string
		if len(s.Status.Conditions) > 0 {
			kept = lb.ResultAnnotations(s.Annotations) // the controller removes them with the conditions
		}
		if balancer && (s.Spec.LoadBalancerClass == nil || *s.Spec.LoadBalancerClass == classes.Name) {
			kept = lb.RequestAnnotations(s.Annotations)
		}
		s.Annotations = kept
		if !balancer {
			s.Labels = nil
			s.Spec = externalSpec(&s.Spec)
			return
		}
		s.Labels = lb.BoundLabels(s.Labels)
		s.Spec = balancerSpec(&s.Spec)
	}
}

// externalSpec returns what lb.ParseService reads of the specification of another Service: the addresses in spec.externalIPs, and
// the ports at them.
func externalSpec(from *corev1.ServiceSpec) corev1.ServiceSpec {
	kept := corev1.ServiceSpec{Type: from.Type, ExternalIPs: from.ExternalIPs[:min(len(from.ExternalIPs), lb.MaxExternalIPs)]}
	if len(kept.ExternalIPs) > 0 {
		kept.Ports = portsOf(from)
	}
	return kept
}

// balancerSpec returns what lb.ParseService reads of the specification of a load balancer.
func balancerSpec(from *corev1.ServiceSpec) corev1.ServiceSpec {
	kept := corev1.ServiceSpec{
		Type: from.Type, LoadBalancerClass: from.LoadBalancerClass, LoadBalancerIP: lb.BoundText(from.LoadBalancerIP, lb.MaxAddressBytes),
		IPFamilies: from.IPFamilies, IPFamilyPolicy: from.IPFamilyPolicy,
		ExternalTrafficPolicy: from.ExternalTrafficPolicy, SessionAffinity: from.SessionAffinity, HealthCheckNodePort: from.HealthCheckNodePort,
		TrafficDistribution:      from.TrafficDistribution,
		PublishNotReadyAddresses: from.PublishNotReadyAddresses, ExternalIPs: from.ExternalIPs[:min(len(from.ExternalIPs), lb.MaxExternalIPs)],
		Ports: portsOf(from),
	}
	return kept
}

// portsOf returns what is read of the ports of a Service.
func portsOf(from *corev1.ServiceSpec) []corev1.ServicePort {
	ports := make([]corev1.ServicePort, min(len(from.Ports), lb.MaxSharedPorts+1)) // one more shows that there are too many
	for i := range ports {
		ports[i] = corev1.ServicePort{Protocol: corev1.Protocol(*intern(string(from.Ports[i].Protocol))), Port: from.Ports[i].Port}
	}
	return ports
}

// stripEndpointSlice keeps what lb.ParseEndpointSlice reads.
func stripEndpointSlice(s *discoveryv1.EndpointSlice) {
	s.Annotations = nil
	labels := map[string]string{discoveryv1.LabelServiceName: s.Labels[discoveryv1.LabelServiceName]}
	if lb.IsSpeakerSlice(s) {
		labels[discoveryv1.LabelManagedBy] = v1beta1.SpeakerManagedBy
		s.Ports = s.Ports[:min(1, len(s.Ports))]
	} else {
		s.Ports = nil
	}
	s.Labels = labels
	if s.AddressType == discoveryv1.AddressTypeFQDN {
		s.Endpoints = nil
	}
	for i := range s.Endpoints {
		endpoint := &s.Endpoints[i]
		kept := discoveryv1.Endpoint{Addresses: endpoint.Addresses[:min(1, len(endpoint.Addresses))], Conditions: endpoint.Conditions}
		if endpoint.NodeName != nil {
			kept.NodeName = intern(*endpoint.NodeName)
		}
		if endpoint.Hints != nil {
			kept.Hints = internHints(endpoint.Hints)
		}
		*endpoint = kept
	}
}

// internHints are hints with one zone and one node at most, as lb.ParseEndpointSlice reads them. Nearly all endpoints have the same few.
func internHints(from *discoveryv1.EndpointHints) *discoveryv1.EndpointHints {
	kept := &discoveryv1.EndpointHints{}
	if len(from.ForZones) == 1 {
		kept.ForZones = []discoveryv1.ForZone{{Name: *intern(from.ForZones[0].Name)}}
	}
	if len(from.ForNodes) == 1 {
		kept.ForNodes = []discoveryv1.ForNode{{Name: *intern(from.ForNodes[0].Name)}}
	}
	return kept
}

// stripNode keeps what lb.ParseNode reads, and all annotations, since a BGPPeer may name any; none that is too long for a
// list of routers. It removes the times of heartbeats, so that a node that only reports that it is alive has not changed.
func stripNode(n *corev1.Node) {
	for key, value := range n.Annotations {
		n.Annotations[key] = lb.BoundText(value, lb.MaxAnnotationBytes)
	}
	n.Spec = corev1.NodeSpec{Unschedulable: n.Spec.Unschedulable, Taints: n.Spec.Taints, PodCIDRs: n.Spec.PodCIDRs}
	kept := corev1.NodeStatus{Addresses: n.Status.Addresses}
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeNetworkUnavailable || condition.Type == corev1.NodeReady {
			kept.Conditions = append(kept.Conditions, corev1.NodeCondition{
				Type: condition.Type, Status: condition.Status, LastTransitionTime: condition.LastTransitionTime,
			})
		}
	}
	n.Status = kept
}

// stripNamespace keeps the labels and the provider.
func stripNamespace(n *corev1.Namespace) {
	n.Labels = lb.BoundLabels(n.Labels)
	provider, named := n.Annotations[v1beta1.AnnotationProvider]
	n.Annotations, n.Spec, n.Status = nil, corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
	if named {
		n.Annotations = map[string]string{v1beta1.AnnotationProvider: lb.BoundText(provider, lb.MaxAnnotationBytes)}
	}
}

// cleanupFinalizer is the list of finalizers that all objects in the cache share which have ours.
var cleanupFinalizer = []string{v1beta1.FinalizerCleanup}

// ownFinalizers keeps the finalizer that Daymark gives to Services.
func ownFinalizers(finalizers []string) []string {
	if slices.Contains(finalizers, v1beta1.FinalizerCleanup) {
		return cleanupFinalizer
	}
	return nil
}

// ownConditions keeps the conditions that Daymark writes, in a list without spare room. Thousands of Services say the same
// of their advertisement.
func ownConditions(conditions []metav1.Condition) []metav1.Condition {
	kept := slices.Clone(slices.DeleteFunc(conditions, func(c metav1.Condition) bool {
		return !strings.HasPrefix(c.Type, v1beta1.GroupVersion.Group+"/")
	}))
	for i := range kept {
		c := &kept[i]
		c.Type, c.Status, c.Reason = *intern(c.Type), metav1.ConditionStatus(*intern(string(c.Status))), *intern(c.Reason)
		if c.Type == v1beta1.ConditionAnnounced {
			c.Message = *intern(c.Message)
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

// Unchanged reports whether two versions of an object are equal in all that the cache keeps of them. Only Nodes are
// compared, since they are written again and again without a change, and objects of which the value alone is kept; another object is
// unchanged if its resourceVersion is.
func Unchanged(before, after client.Object) bool {
	if before.GetResourceVersion() == after.GetResourceVersion() {
		return true
	}
	if past, ok := before.(interface {
		sameValue(after client.Object) bool
	}); ok {
		return past.sameValue(after)
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

// OnlyTextChanged reports whether two versions of a Service differ in nothing but the conditions AddressAssigned and
// Announced, which are for people: nothing is decided by them.
func OnlyTextChanged(before, after client.Object) bool {
	if past, ok := before.(interface {
		onlyTextChanged(after client.Object) bool
	}); ok {
		return past.onlyTextChanged(after)
	}
	past, ok := before.(*corev1.Service)
	now, also := after.(*corev1.Service)
	if !ok || !also {
		return false
	}
	from, to := *past, *now
	from.ResourceVersion = to.ResourceVersion
	from.Status.Conditions, to.Status.Conditions = withoutTexts(from.Status.Conditions), withoutTexts(to.Status.Conditions)
	return equality.Semantic.DeepEqual(&from, &to)
}

func withoutTexts(conditions []metav1.Condition) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(conditions), func(c metav1.Condition) bool {
		return c.Type == v1beta1.ConditionAddressAssigned || c.Type == v1beta1.ConditionAnnounced
	})
}
