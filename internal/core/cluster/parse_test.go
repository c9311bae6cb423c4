package cluster

import (
	"math/rand/v2"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// objects are a cluster with one Service that has an address and is announced.
func objects() []runtime.Object {
	node := "n1"
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "blue"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{"192.0.2.0/28"}
	web := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
	web.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}
	web.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionProvenance, Message: "class=c 192.0.2.1=blue"}}
	slice := func(name, addr string) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
			AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{addr}, NodeName: &node}},
		}
	}
	return []runtime.Object{
		web, pool, slice("web-1", "10.0.0.1"), slice("web-2", "10.0.0.2"),
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default", Labels: map[string]string{"team": "a"}}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "tor"}}, &corev1.Pod{},
		&v1beta1.IPReservation{}, &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}},
		&v1beta1.BGPAdvertisement{}, &v1beta1.BGPPeer{}, &v1beta1.BFDProfile{}, &v1beta1.Community{},
		speaker(node, known),
	}
}

func TestParse_OrderDoesNotMatter(t *testing.T) {
	want := Parse(objects())
	for range 10 {
		shuffled := objects()
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := Parse(shuffled); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	}
	for name, empty := range map[string]bool{
		"Services": len(want.Services) == 0, "Nodes": len(want.Nodes) == 0, "Secrets": len(want.Secrets) == 0,
		"Pools": len(want.Pools.ByAge()) == 0, "Reservations": len(want.Reservations) == 0,
		"L2Advertisements": len(want.L2Advertisements) == 0, "BGPAdvertisements": len(want.BGPAdvertisements) == 0, "Peers": len(want.Peers) == 0,
		"BFDProfiles": len(want.BFDProfiles) == 0, "Communities": len(want.Communities) == 0, "Speakers": len(want.Speakers) == 0,
		"Namespaces": want.Namespaces["default"]["team"] != "a",
		"Endpoints":  want.Endpoints[lb.Key{Namespace: "default", Name: "web"}].ReadyOnNode("n1", lb.IPv4) != 2,
	} {
		if empty {
			t.Errorf("%s are not parsed", name)
		}
	}
}

func TestReportedWorld_Explains(t *testing.T) {
	o := Parse(objects())
	world := o.ReportedWorld(lb.Classes{Classless: true}, announce.Options{})
	if len(world.Services) != 1 {
		t.Fatalf("Services %v", world.Services)
	}
	if got := announce.NewExplainer(&world).Explain(world.Services[0]); !got.Announced || got.Message != "192.0.2.1 by layer 2 (lan)" {
		t.Errorf("explained as %+v", got)
	}
}
