package simulation

import (
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// routerNames are the BGPPeers that there may be, and routerOf the routers that they lead to.
var (
	routerNames = []string{"tor1", "tor2"}
	routerOf    = map[string]netip.Addr{"tor1": netip.MustParseAddr("10.0.0.1"), "tor2": netip.MustParseAddr("10.0.0.2")}
)

// role is a label of nodes by which objects select them.
const role = "role"

// beginCluster makes what there is in the beginning of a cluster with speakers.
func (w *world) beginCluster() {
	w.begin()
	w.make(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2"}})
	for _, node := range nodes {
		alter(w, client.ObjectKey{Name: node}, func(n *corev1.Node) {
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
			for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
				n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: addressOf(node, family).String()})
			}
		})
	}
	w.make(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1beta1.GossipSecret},
		Data:       map[string][]byte{v1beta1.GossipSecretKey: []byte(strings.Repeat("k", 32))},
	})
	for range 1 + w.random.IntN(2) {
		w.editPeer()
		w.editAdvertisement()
	}
	w.followServices()
}

// editCluster makes one change of what announcements depend on.
func (w *world) editCluster() {
	services := w.keys("Service")
	switch kind := w.random.IntN(10); {
	case kind < 3 && len(services) > 0:
		w.moveEndpoints(pick(w, services))
	case kind < 5 && len(services) > 0:
		alter(w, pick(w, services), func(s *corev1.Service) {
			s.Spec.ExternalTrafficPolicy = pick(w, []corev1.ServiceExternalTrafficPolicy{corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal})
			w.note("people make %s/%s %s", s.Namespace, s.Name, s.Spec.ExternalTrafficPolicy)
		})
	case kind < 6:
		selectors := w.selectors()
		w.note("L2Advertisement lan is for %v", selectors)
		alter(w, client.ObjectKey{Name: "lan"}, func(a *v1beta1.L2Advertisement) { a.Spec.NodeSelectors = selectors })
	case kind < 7:
		w.editAdvertisement()
	case kind < 8:
		w.editPeer()
	default:
		w.editNode()
	}
}

// editNode changes how a node is selected, and whether it attracts anything.
func (w *world) editNode() {
	alter(w, client.ObjectKey{Name: pick(w, nodes)}, func(n *corev1.Node) {
		n.Labels, n.Annotations = map[string]string{}, map[string]string{}
		if w.chance(0.5) {
			n.Labels[role] = "edge"
		}
		switch {
		case w.chance(0.15):
			n.Labels[corev1.LabelNodeExcludeBalancers] = ""
		case w.chance(0.15):
			n.Annotations[v1beta1.AnnotationDrain] = "true"
		}
		w.note("node %s has the labels %v and annotations %v", n.Name, n.Labels, n.Annotations)
	})
}

// selectors of nodes: mostly none, which select all.
func (w *world) selectors() []v1beta1.LabelSelector {
	if w.chance(0.7) {
		return nil
	}
	return []v1beta1.LabelSelector{{MatchLabels: map[string]v1beta1.LabelValue{role: "edge"}}}
}

// editPeer makes, changes or deletes a BGPPeer.
func (w *world) editPeer() {
	name := pick(w, routerNames)
	key := client.ObjectKey{Name: name}
	selectors := w.selectors()
	if _, err := w.server.get("BGPPeer", key); err != nil {
		w.note("BGPPeer %s is made for %v", name, selectors)
		asn := int64(64513)
		w.make(&v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1beta1.BGPPeerSpec{
			MyASN: 64512, PeerASN: &asn, PeerAddress: routerOf[name].String(), NodeSelectors: selectors,
			AddressFamilies: []v1beta1.AddressFamily{v1beta1.AddressFamily(lb.IPv4.String()), v1beta1.AddressFamily(lb.IPv6.String())},
		}})
		return
	}
	if w.chance(0.3) {
		w.note("BGPPeer %s is deleted", name)
		w.remove("BGPPeer", key)
		return
	}
	w.note("BGPPeer %s is for %v", name, selectors)
	alter(w, key, func(p *v1beta1.BGPPeer) { p.Spec.NodeSelectors = selectors })
}

// editAdvertisement makes, changes or deletes a BGPAdvertisement.
func (w *world) editAdvertisement() {
	name := pick(w, []string{"a1", "a2"})
	key := client.ObjectKey{Name: name}
	spec := v1beta1.BGPAdvertisementSpec{}
	spec.NodeSelectors = w.selectors()
	if w.chance(0.4) {
		spec.IPAddressPools = []string{pick(w, poolNames)}
	}
	if w.chance(0.3) {
		spec.Peers = []string{pick(w, routerNames)}
	}
	if w.chance(0.2) {
		spec.AggregationLength = new(int32(28))
	}
	if _, err := w.server.get("BGPAdvertisement", key); err != nil {
		w.note("BGPAdvertisement %s is made: %+v", name, spec)
		w.make(&v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec})
		return
	}
	if w.chance(0.3) {
		w.note("BGPAdvertisement %s is deleted", name)
		w.remove("BGPAdvertisement", key)
		return
	}
	w.note("BGPAdvertisement %s is %+v", name, spec)
	alter(w, key, func(a *v1beta1.BGPAdvertisement) { a.Spec = spec })
}

// families of EndpointSlices.
var families = []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6}

func sliceKey(service client.ObjectKey, family discoveryv1.AddressType) client.ObjectKey {
	return client.ObjectKey{Namespace: service.Namespace, Name: service.Name + "-" + strings.ToLower(string(family))}
}

// moveEndpoints of a Service to other nodes.
func (w *world) moveEndpoints(service client.ObjectKey) {
	endpoints := w.endpoints()
	for _, family := range families {
		alter(w, sliceKey(service, family), func(s *discoveryv1.EndpointSlice) { s.Endpoints = endpointsOf(endpoints, family) })
	}
	w.note("the endpoints of %s are %v", service, endpoints)
}

// endpoints are those of a Service: whether one is ready, by node.
func (w *world) endpoints() map[string]bool {
	endpoints := map[string]bool{}
	for _, node := range nodes {
		if w.chance(0.5) {
			endpoints[node] = w.chance(0.8)
		}
	}
	return endpoints
}

func endpointsOf(ready map[string]bool, family discoveryv1.AddressType) (list []discoveryv1.Endpoint) {
	for i, node := range nodes {
		is, there := ready[node]
		if !there {
			continue
		}
		address := fmt.Sprintf("10.1.0.%d", i+1)
		if family == discoveryv1.AddressTypeIPv6 {
			address = fmt.Sprintf("fd01::%d", i+1)
		}
		list = append(list, discoveryv1.Endpoint{Addresses: []string{address}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &is}})
	}
	return list
}

// followServices makes the EndpointSlices of new Services, and deletes those of Services that are gone, as Kubernetes does.
func (w *world) followServices() {
	services := map[client.ObjectKey]bool{}
	for _, key := range w.keys("Service") {
		services[key] = true
		if _, err := w.server.get("EndpointSlice", sliceKey(key, families[0])); err == nil {
			continue
		}
		endpoints := w.endpoints()
		for _, family := range families {
			name := sliceKey(key, family)
			w.make(&discoveryv1.EndpointSlice{
				ObjectMeta:  metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, Labels: map[string]string{discoveryv1.LabelServiceName: key.Name}},
				AddressType: family, Endpoints: endpointsOf(endpoints, family),
			})
		}
		w.note("the endpoints of %s are %v", key, endpoints)
	}
	slices, _ := w.server.list("EndpointSlice")
	for _, slice := range slices {
		name := slice.GetLabels()[discoveryv1.LabelServiceName]
		if slice.GetNamespace() != namespace && !services[client.ObjectKey{Namespace: slice.GetNamespace(), Name: name}] {
			w.remove("EndpointSlice", keyOf(slice))
		}
	}
}

// without the objects of a kind.
func without(kind string, all []runtime.Object) (others []runtime.Object) {
	for _, object := range all {
		if kindOf(object) != kind {
			others = append(others, object)
		}
	}
	return others
}
