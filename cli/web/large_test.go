package web

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
)

// large is a cluster of 100 nodes, each of which holds 100 addresses and has sessions with two routers, and 10,000 Services.
func large() *source.Objects {
	all := &source.Objects{Time: now, Origin: "large"}
	for i := range 100 {
		name, since := fmt.Sprintf("node-%02d", i), metav1.NewTime(now)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
		speaker.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Ready", LastTransitionTime: since}}
		speaker.Status.Layer2.IPv4 = 100
		for _, router := range []string{"left", "right"} {
			speaker.Status.BGP = append(speaker.Status.BGP, v1beta1.BGPSession{Peer: router, State: v1beta1.BGPEstablished, IPv4: 100, BFD: "Up", Since: since})
		}
		for j := range 100 {
			address := fmt.Sprintf("198.18.%d.%d", i, j)
			speaker.Status.Layer2.Held = append(speaker.Status.Layer2.Held, v1beta1.HeldAddress{Address: address, Interfaces: []string{"eth0"}, Since: since})
			all.Items = append(all.Items, serviceWith(fmt.Sprintf("web-%02d-%02d", i, j), address)...)
		}
		all.Items = append(all.Items, node, speaker)
	}
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "lan"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{"198.18.0.0/16"}
	pool.Status.IPv4 = &v1beta1.AddressCount{Assigned: 10_000, Available: "55536"}
	all.Items = append(all.Items, pool, &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}})
	for i, name := range []string{"left", "right"} {
		peer := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}}
		asn := int64(64513)
		peer.Spec.MyASN, peer.Spec.PeerASN, peer.Spec.BFDProfile = 64512, &asn, "fast"
		peer.Spec.PeerAddress = fmt.Sprintf("192.0.2.%d", i+1)
		peer.Status.Nodes, peer.Status.Established = 100, 100
		all.Items = append(all.Items, peer)
	}
	return all
}

// serviceWith is a Service that is announced, and its EndpointSlice.
func serviceWith(name, address string) []runtime.Object {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, CreationTimestamp: metav1.NewTime(now)}}
	s.Spec.Type, s.Spec.IPFamilies = corev1.ServiceTypeLoadBalancer, []corev1.IPFamily{corev1.IPv4Protocol}
	s.Spec.Ports = []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
	for kind, message := range map[string]string{
		v1beta1.ConditionAddressAssigned: address + " from pool lan", v1beta1.ConditionAnnounced: address + " by layer 2 (lan)",
		v1beta1.ConditionProvenance: "class=daymark.io/daymark " + address + "=lan",
	} {
		s.Status.Conditions = append(s.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: "Announced", Message: message, LastTransitionTime: metav1.NewTime(now),
		})
	}
	labels, node := map[string]string{discoveryv1.LabelServiceName: name}, "node-00"
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name + "-1", Labels: labels}, AddressType: discoveryv1.AddressTypeIPv4}
	slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, NodeName: &node}}
	return []runtime.Object{s, slice}
}

// failOver is the cluster with the addresses of one node held by the next.
func failOver(all *source.Objects, from, to string) *source.Objects {
	after := *all
	after.Items = nil
	var moved []v1beta1.HeldAddress
	for _, item := range all.Items {
		if speaker, ok := item.(*v1beta1.Speaker); ok && speaker.Name == from {
			gone := speaker.DeepCopy()
			gone.Status.Layer2.IPv4, gone.Status.Layer2.Held, moved = 0, nil, speaker.Status.Layer2.Held
			item = gone
		}
		after.Items = append(after.Items, item)
	}
	for i, item := range after.Items {
		if speaker, ok := item.(*v1beta1.Speaker); ok && speaker.Name == to {
			heir := speaker.DeepCopy()
			heir.Status.Layer2.Held = append(heir.Status.Layer2.Held, moved...)
			heir.Status.Layer2.IPv4 += int32(len(moved))
			after.Items[i] = heir
		}
	}
	return &after
}

func BenchmarkPage(b *testing.B) {
	all := large()
	after := failOver(all, "node-07", "node-08")
	k := newKeeper(environment(), all)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			get(b, newHandler(newKeeper(environment(), all)), "/")
		}
	})
	b.Run("update", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			c := k.compute([]*source.Objects{after, all}[i%2])
			k.replace(func(s *snapshot) { s.computed = c })
			get(b, newHandler(k), "/")
		}
	})
	for _, path := range []string{"/services?q=web-42", "/services/shop/web-42-42", "/nodes/node-42"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				get(b, newHandler(k), path)
			}
		})
	}
}
