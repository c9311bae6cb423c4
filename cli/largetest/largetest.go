// Package largetest makes the objects of a large cluster, for tests and benchmarks of what reads them all. Its one job is that all of these
// read the same cluster: 100 nodes, each of which holds 100 addresses by layer 2 and tells two routers of all, and 10,000 Services that are
// announced by both protocols. It refuses to be a cluster in which something is wrong.
package largetest

import (
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// routers are the BGPPeers.
var routers = []string{"left", "right"}

// Objects of the cluster as they are at a time, with their apiVersion and kind.
func Objects(now time.Time) (all []runtime.Object) {
	since := metav1.NewTime(now)
	for i := range 100 {
		node, speaker := nodeAt(i, since)
		for j := range 100 {
			address := fmt.Sprintf("198.18.%d.%d", i, j)
			speaker.Status.Layer2.Held = append(speaker.Status.Layer2.Held, v1beta1.HeldAddress{Address: address, Interfaces: []string{"eth0"}, Since: since})
			service, endpoints := serviceAt(fmt.Sprintf("web-%02d-%02d", i, j), address, node.Name, since)
			all = append(all, service, endpoints)
		}
		all = append(all, node, speaker)
	}
	return append(all, configuration()...)
}

func daymark(kind, name string) (metav1.TypeMeta, metav1.ObjectMeta) {
	meta := metav1.ObjectMeta{Name: name, UID: types.UID(kind + " " + name), Generation: 1}
	return metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: kind}, meta
}

// nodeAt is a node with its speaker, which holds nothing yet.
func nodeAt(i int, since metav1.Time) (*corev1.Node, *v1beta1.Speaker) {
	name, address := fmt.Sprintf("node-%02d", i), fmt.Sprintf("198.18.255.%d", i+1)
	node := &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: name}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}
	speaker := &v1beta1.Speaker{}
	speaker.TypeMeta, speaker.ObjectMeta = daymark("Speaker", name)
	for kind, reason := range map[string]string{v1beta1.ConditionReady: "Ready", v1beta1.ConditionMembershipKnown: "Known"} {
		condition := metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, LastTransitionTime: since}
		speaker.Status.Conditions = append(speaker.Status.Conditions, condition)
	}
	speaker.Status.Network.Addresses = []string{address + "/16"}
	speaker.Status.Network.Interfaces = []v1beta1.NodeInterface{{Name: "eth0", Families: []v1beta1.AddressFamily{v1beta1.IPv4}}}
	speaker.Status.Layer2.IPv4 = 100
	for j, router := range routers {
		speaker.Status.BGP = append(speaker.Status.BGP, v1beta1.BGPSession{
			Peer: router, Address: fmt.Sprintf("192.0.2.%d", j+1), State: v1beta1.BGPEstablished, IPv4: 10_000, BFD: "Up", Since: since,
			Families: []v1beta1.AddressFamily{v1beta1.IPv4}, NextHops: v1beta1.BGPNextHops{IPv4: []string{address}},
		})
	}
	return node, speaker
}

// serviceAt is a Service that is announced, with an endpoint on a node.
func serviceAt(name, address, node string, since metav1.Time) (*corev1.Service, *discoveryv1.EndpointSlice) {
	s := &corev1.Service{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}}
	s.ObjectMeta = metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), CreationTimestamp: since}
	s.Spec.Type, s.Spec.IPFamilies = corev1.ServiceTypeLoadBalancer, []corev1.IPFamily{corev1.IPv4Protocol}
	s.Spec.Selector, s.Spec.Ports = map[string]string{"app": name}, []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
	for _, c := range []struct{ kind, reason, message string }{
		{v1beta1.ConditionAddressAssigned, "AddressAssigned", address + " from pool lan"},
		{v1beta1.ConditionAnnounced, "Announced", address + " by layer 2 (lan) and by BGP (lan)"},
		{v1beta1.ConditionProvenance, "Allocated", "class=daymark.io/daymark " + address + "=lan"},
	} {
		s.Status.Conditions = append(s.Status.Conditions, metav1.Condition{
			Type: c.kind, Status: metav1.ConditionTrue, Reason: c.reason, Message: c.message, LastTransitionTime: since,
		})
	}
	e := &discoveryv1.EndpointSlice{TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"}}
	e.ObjectMeta = metav1.ObjectMeta{Namespace: s.Namespace, Name: name + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: name}}
	e.AddressType, e.Endpoints = discoveryv1.AddressTypeIPv4, []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, NodeName: &node}}
	return s, e
}

// configuration is the pool, how it is announced, and the routers.
func configuration() []runtime.Object {
	pool, l2, bgp := &v1beta1.IPAddressPool{}, &v1beta1.L2Advertisement{}, &v1beta1.BGPAdvertisement{}
	pool.TypeMeta, pool.ObjectMeta = daymark("IPAddressPool", "lan")
	pool.Spec.Addresses = []v1beta1.AddressRange{"198.18.0.0-198.18.99.255"}
	pool.Status.IPv4 = &v1beta1.AddressCount{Assigned: 10_000, Available: "15600"}
	l2.TypeMeta, l2.ObjectMeta = daymark("L2Advertisement", "lan")
	bgp.TypeMeta, bgp.ObjectMeta = daymark("BGPAdvertisement", "lan")
	all := []runtime.Object{pool, l2, bgp}
	for i, name := range routers {
		peer := &v1beta1.BGPPeer{}
		peer.TypeMeta, peer.ObjectMeta = daymark("BGPPeer", name)
		peer.Spec = v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513)), PeerAddress: fmt.Sprintf("192.0.2.%d", i+1), BFDProfile: "fast"}
		peer.Status.Nodes, peer.Status.Established = 100, 100
		all = append(all, peer)
	}
	return all
}

// Send has the speakers report that they have sent their routers what the objects ask for.
func Send(objects []runtime.Object) {
	parsed := cluster.Parse(objects)
	for _, object := range objects {
		speaker, ok := object.(*v1beta1.Speaker)
		if !ok {
			continue
		}
		world := parsed.NodeWorld(speaker.Name, lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}, announce.Options{})
		sessions := announce.Compute(&world).Sessions
		for i := range speaker.Status.BGP {
			reported := &speaker.Status.BGP[i]
			next := adjribout.NextHops{IPv4: adjribout.NextHop{Addr: netip.MustParseAddr(reported.NextHops.IPv4[0])}}
			reported.Digest = adjribout.DigestOf(&sessions[i], true, []lb.Family{lb.IPv4}, next).String()
		}
	}
}
