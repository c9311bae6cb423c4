package main

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
)

func TestExplain_SaysAllThatIsKnown(t *testing.T) {
	const want = `Service default/web
  addresses: 192.0.2.200
  daymark.io/AddressAssigned: True for 60m, AddressAssigned: 192.0.2.200 from pool lan
  daymark.io/Announced: True for 60m, Announced: 192.0.2.200 by layer 2 (lan)
  192.0.2.200 is held by n2 on eth0 for 60s
`
	var out strings.Builder
	s := seen()
	web, err := s.find("web")
	if err != nil {
		t.Fatal(err)
	}
	if s.explain(&out, web, ""); out.String() != want {
		t.Errorf("shown:\n%s", out.String())
	}
	if _, err := s.find("late"); err == nil || err.Error() != "there is no Service default/late of type LoadBalancer" {
		t.Errorf("a Service of another namespace: %v", err)
	}

	s, err = read(t.Context(), &reader{seen: seen(), tenant: true}, "shop")
	if err != nil {
		t.Fatal(err)
	}
	late, err := s.find("late")
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if s.explain(&out, late, ""); !strings.Contains(out.String(), "PoolExhausted") || !strings.Contains(out.String(), "you may not list Speakers") {
		t.Errorf("a tenant is shown:\n%s", out.String())
	}
}

func TestExplain_ComparesWithTheObjects(t *testing.T) {
	node := "n2"
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "lan"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{"192.0.2.200/29"}
	speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: node}}
	speaker.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue}}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, NodeName: &node}},
	}
	all := []runtime.Object{
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}, pool, speaker, slice,
		&v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}},
	}
	limited := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}, Spec: v1beta1.BGPPeerSpec{MaximumPrefixes: 1}}
	for _, test := range []struct {
		name    string
		service int
		objects []runtime.Object
		want    string
	}{
		{"what the controller wrote is still so", 0, all, ""},
		{
			"the advertisement is gone", 0, all[:4], "by the objects as they are now, and the default flags of the programs: " +
				"False, NoAdvertisement: no L2Advertisement or BGPAdvertisement selects this Service and pool lan of 192.0.2.200",
		},
		{"the controller has written nothing", 1, all, ""},
		{
			"a limit depends on Services that are not read", 0, append(all[:5:5], limited),
			"not compared with the objects as they are now: maximumPrefixes of BGPPeer tor counts all Services",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := difference(&seen().services[test.service], cluster.Parse(test.objects)); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestExplain_NamesTheBestNodeForSessionAffinity: the condition does not, since nodes come and go.
func TestExplain_NamesTheBestNodeForSessionAffinity(t *testing.T) {
	pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "lan"}}
	pool.Spec.Addresses = []v1beta1.AddressRange{"192.0.2.200/29"}
	asn := int64(64513)
	objects := []runtime.Object{
		pool, &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}},
		&v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}, Spec: v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: &asn, PeerAddress: "192.0.2.1"}},
		&discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
			AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}},
		},
	}
	for _, node := range []string{"n1", "n2", "n3"} {
		speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: node}}
		if node != "n3" {
			speaker.Status.BGP = []v1beta1.BGPSession{{Peer: "tor", State: v1beta1.BGPEstablished}}
		}
		objects = append(objects, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}, speaker)
	}
	web := seen().services[0].DeepCopy()
	web.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
	got := difference(web, cluster.Parse(objects))
	best, backup := "n1", "n2"
	if strings.Contains(got, "prefers n2") {
		best, backup = backup, best
	}
	want := "by the objects as they are now, and the default flags of the programs: True, Announced: 192.0.2.200 by BGP (lan), where one node is " +
		"best and the others are backup, for session affinity\n  192.0.2.200, session affinity: tor prefers " + best + ", then " + backup
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestHeld_ReportOfASpeakerThatIsGoneIsOld(t *testing.T) {
	s := seen()
	s.speakers[1].Status.Conditions = []metav1.Condition{{
		Type: v1beta1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1beta1.ReasonSpeakerGone,
		LastTransitionTime: metav1.NewTime(s.now.Add(-30 * time.Second)),
	}}
	if got := s.holders(&s.services[0]); got != "<none>" {
		t.Errorf("held by %s", got)
	}
	want := "192.0.2.200 is held by n2 on eth0 for 60s, by an old report: its speaker has been gone for 30s"
	if got := s.held(&s.services[0]); len(got) != 1 || got[0] != want {
		t.Errorf("it says %q", got)
	}
}
