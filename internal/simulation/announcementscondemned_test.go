package simulation

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
)

// speakerTrial is a speaker that does what it is told, and is told of what there is.
type speakerTrial struct {
	*world
	speaker *process
	told    map[netip.Prefix]bool
}

// The speakers of the other tests do nothing wrong, so these say nothing of a judge that sees nothing.
func TestJudge_CondemnsAnnouncements(t *testing.T) {
	const route = "192.0.2.1/32"
	for _, test := range []struct {
		history string
		happens func(*speakerTrial)
		verdict string // a part of it; empty: none
	}{
		{"a route is announced that objects ask for", func(t *speakerTrial) {
			t.reads(t.server.snapshot())
			t.tells(route)
		}, ""},
		{"a route is announced that none asks for", func(t *speakerTrial) {
			t.reads(t.server.snapshot())
			t.tells("192.0.2.2/32")
		}, "announces 192.0.2.2/32 to tor1, and nothing"},
		{"a route is announced before anything is read", func(t *speakerTrial) { t.tells(route) }, "announces 192.0.2.1/32 to tor1, and nothing"},
		{"a route is withdrawn for nothing", func(t *speakerTrial) {
			t.reads(t.server.snapshot())
			t.tells(route)
			t.tells()
		}, "withdraws 192.0.2.1/32 from tor1, and nothing"},
		{"a route is withdrawn since no endpoint is ready", func(t *speakerTrial) {
			t.reads(t.server.snapshot())
			t.tells(route)
			t.loses("EndpointSlice", client.ObjectKey{Namespace: "red", Name: "web-ipv4"})
			t.tells()
		}, ""},
		{"a route is announced long after it was asked for", func(t *speakerTrial) {
			t.reads(t.server.snapshot())
			t.loses("EndpointSlice", client.ObjectKey{Namespace: "red", Name: "web-ipv4"})
			time.Sleep(2 * actsWithin)
			t.tells(route)
		}, "announces 192.0.2.1/32 to tor1, and nothing"},
		{"a speaker that starts withdraws what it has not read yet", func(t *speakerTrial) {
			t.told = routesOf(route)
			t.tells()
		}, "withdraws 192.0.2.1/32 from tor1, and nothing"},
		{"an address is held that objects ask for", func(t *speakerTrial) {
			t.reads(t.server.snapshot())
			t.judge.took(t.speaker, "n0", webAddr)
		}, ""},
		{"an address is held before anything is read", func(t *speakerTrial) { t.judge.took(t.speaker, "n0", webAddr) }, "answers for 192.0.2.1, and nothing"},
		{"an address is given up for nothing", func(t *speakerTrial) {
			t.reads(t.server.snapshot())
			t.judge.gaveUp(t.speaker, "n0", webAddr, "")
		}, "does not answer for 192.0.2.1 any more, leaves it to nobody"},
		{"an address is left to another node", func(t *speakerTrial) {
			t.reads(t.server.snapshot())
			t.judge.gaveUp(t.speaker, "n0", webAddr, "n1")
		}, ""},
		{"an address is given up by who is told to end", func(t *speakerTrial) {
			t.speaker.leaving.Store(true)
			t.judge.gaveUp(t.speaker, "n0", webAddr, "")
		}, ""},
		{"it reports twice in a second", func(t *speakerTrial) {
			speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n0"}}
			t.server.reports(t.speaker, speaker)
			time.Sleep(reportsEvery / 2)
			t.server.reports(t.speaker, speaker)
		}, "sends the status of Speaker n0"},
	} {
		t.Run(test.history, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWorld(1, false)
				w.makeRouted()
				s := &speakerTrial{world: w, speaker: &process{id: "speaker", node: "n0", sight: newSight()}}
				test.happens(s)
				if said := w.judge.violation; said == "" != (test.verdict == "") || !strings.Contains(said, test.verdict) {
					t.Errorf("the judge says %q, want %q\n%s", said, test.verdict, strings.Join(w.trace, "\n"))
				}
			})
		})
	}
}

// webAddr is the address of the Service.
var webAddr = netip.MustParseAddr("192.0.2.1")

// makeRouted makes a Service with an address that n0 is to announce to tor1, and to hold.
func (w *world) makeRouted() {
	asn, ready, node := int64(64513), true, "n0"
	provenance := lb.Provenance{Class: classes.Name, Allocations: []lb.Allocation{{Addr: webAddr, Pool: "lan"}}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "red", Name: "web"}}
	service.Spec.Type = corev1.ServiceTypeLoadBalancer
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}
	service.Status.Conditions = []metav1.Condition{
		{Type: v1beta1.ConditionAddressAssigned},
		{Type: v1beta1.ConditionProvenance, Reason: "Allocated", Message: provenance.Message()},
	}
	for _, object := range []client.Object{
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}, service,
		&v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "lan"}, Spec: v1beta1.IPAddressPoolSpec{Addresses: []v1beta1.AddressRange{"192.0.2.0/30"}}},
		&v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor1"}, Spec: v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: &asn, PeerAddress: "10.0.0.1"}},
		&v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "a1"}}, &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}},
		&discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "red", Name: "web-ipv4", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.1.0.1"}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		},
	} {
		w.make(object)
	}
}

// reads: the speaker is told of all objects.
func (t *speakerTrial) reads(all objects) {
	for _, example := range informer.Kinds() {
		var list []client.Object
		for _, object := range all[kindOf(example)] { // order does not matter: it is a set
			list = append(list, object)
		}
		t.speaker.sight.list(kindOf(example), list)
	}
	time.Sleep(time.Millisecond)
}

// loses: the speaker is told that an object is gone.
func (t *speakerTrial) loses(kind string, key client.ObjectKey) {
	t.speaker.sight.event(kind, watch.Deleted, t.server.objects[kind][key])
	time.Sleep(time.Millisecond)
}

// tells: the speaker tells tor1 these routes and no others.
func (t *speakerTrial) tells(routes ...string) {
	now := routesOf(routes...)
	t.judge.routes(t.speaker, "n0", "tor1", t.told, now)
	t.told = now
}

func routesOf(texts ...string) map[netip.Prefix]bool {
	routes := map[netip.Prefix]bool{}
	for _, text := range texts {
		routes[netip.MustParsePrefix(text)] = true
	}
	return routes
}

// A speaker that is told of two kinds at once may have taken in the one and not yet the other.
func TestSight_KindsAreReadInAnyOrder(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := newSight()
		node, pool := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n0"}}, &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "lan"}}
		s.event("Node", watch.Added, node)
		s.event("IPAddressPool", watch.Added, pool)
		s.event("Node", watch.Deleted, node)
		var seen []string
		s.within(time.Second, func(o objects) bool {
			seen = append(seen, fmt.Sprint(len(o["Node"]), len(o["IPAddressPool"])))
			return false
		})
		slices.Sort(seen)
		if want := []string{"0 0", "0 1", "1 0", "1 1"}; !slices.Equal(slices.Compact(seen), want) {
			t.Errorf("it may have known %v, want %v", seen, want)
		}
	})
}
