package view

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestOverridden_WhatTheRouterIsNotTold by the session of the older of two BGPPeers, old and young, of one node and one router. A third one
// leads elsewhere, so that the Service is announced.
func TestOverridden_WhatTheRouterIsNotTold(t *testing.T) {
	peer := func(name, address string, created int64) *v1beta1.BGPPeer {
		p := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.Unix(created, 0)}}
		p.Spec = v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513)), PeerAddress: address}
		return p
	}
	advertisement := func(name string, med *int64, peers ...string) *v1beta1.BGPAdvertisement {
		a := &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: name}}
		a.Spec.Peers, a.Spec.MED = peers, med
		return a
	}
	speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	speaker.Status.BGP = []v1beta1.BGPSession{
		{Peer: "old", Address: "192.0.2.1", State: v1beta1.BGPEstablished},
		{Peer: "other", Address: "192.0.2.2", State: v1beta1.BGPEstablished},
		{Peer: "young", Address: "192.0.2.1", State: v1beta1.BGPActive, LastError: "BGPPeer old names the same router, 192.0.2.1:179, and is older"},
	}
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "wan"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{"198.51.100.0/24"}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}
	service.Spec.Type, service.Spec.IPFamilies = corev1.ServiceTypeLoadBalancer, []corev1.IPFamily{corev1.IPv4Protocol}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "198.51.100.1"}}
	service.Status.Conditions = []metav1.Condition{{
		Type: v1beta1.ConditionProvenance, Status: metav1.ConditionTrue, Reason: "Allocated", Message: "class=daymark.io/daymark 198.51.100.1=wan",
	}}
	ready := true
	endpoints := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.1.5"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}
	for _, test := range []struct {
		name           string
		advertisements []runtime.Object
		notSent        string
		problem        bool
	}{
		{"an advertisement for all peers", []runtime.Object{advertisement("all", nil)}, "", false},
		{"one that names both", []runtime.Object{advertisement("both", nil, "young", "old")}, "", false},
		{"one that names the younger and another one", []runtime.Object{advertisement("young", nil, "young", "other")}, "not for old", true},
		{"one for each, with other attributes", []runtime.Object{
			advertisement("young", new(int64(7)), "young"), advertisement("old", nil, "old"),
		}, "otherwise for old", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := append([]runtime.Object{
				peer("old", "192.0.2.1", 1), peer("young", "192.0.2.1", 2), peer("other", "192.0.2.2", 1),
				&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, speaker, pool, service, endpoints,
			}, test.advertisements...)
			c := New(Input{Objects: objects, Now: time.Unix(1_000_000, 0)})
			key := lb.Key{Namespace: "default", Name: "web"}
			for _, s := range c.Routes(RouteFilter{Service: key}).Items {
				if s.Peer == "young" && (s.Sent.Result != SentOverridden || s.OverriddenBy != "old" || len(s.Routes) != 1 || s.Routes[0].NotSent != test.notSent) {
					t.Errorf("the routes are %+v", s)
				}
			}
			x := c.ExplainService(key)
			untold := slices.ContainsFunc(x.Problems, func(p Problem) bool {
				return p.Reason == "Overridden" && strings.Contains(p.Message, "not told of 198.51.100.1")
			})
			if down := slices.ContainsFunc(x.Problems, func(p Problem) bool { return p.Reason == "NotEstablished" }); untold != test.problem || down {
				t.Errorf("of the Service the problems are %+v", x.Problems)
			}
			missing := slices.ContainsFunc(c.Announcing(key).Missing, func(text string) bool { return strings.Contains(text, "BGPPeer old is older than young") })
			if missing != (test.notSent != "") {
				t.Errorf("missing is %q", c.Announcing(key).Missing)
			}
			if node := c.ExplainNode("n1"); len(node.Problems) > 0 {
				t.Errorf("of the node the problems are %+v", node.Problems)
			}
		})
	}
}
