package view

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Of three nodes that should send nothing to a router, some have sent something.
func TestCluster_RouterThatWasSentSomethingElseIsAProblem(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	ago := func(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }
	peer := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}, Spec: v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513)), PeerAddress: "192.0.2.1"}}
	written := func(at metav1.Time) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "shop", Name: "web", ManagedFields: []metav1.ManagedFieldsEntry{{Time: &at}}}
	}
	changed := func(before time.Duration) []runtime.Object {
		return []runtime.Object{&discoveryv1.EndpointSlice{ObjectMeta: written(ago(before))}}
	}
	const one = "node n1: the router was sent other routes than the objects ask for: 2 IPv4 and 0 IPv6 prefixes were sent, and the objects ask for 0 and 0; " +
		"that is by the default flags of the programs, since theirs are not seen"
	for _, test := range []struct {
		name    string
		differ  int
		up      time.Duration
		others  []runtime.Object
		unseen  []Unseen
		want    []string
		command string
	}{
		{"all were sent what they should", 0, time.Hour, nil, nil, nil, ""},
		{"one was not", 1, time.Hour, nil, nil, []string{one}, "kubectl daymark routes --peer tor --node n1"},
		{"none was", 3, time.Hour, nil, nil, []string{one + "; so it is with 2 more nodes"}, "kubectl daymark routes --peer tor"},
		{"its session has just come up", 1, 5 * time.Second, nil, nil, nil, ""},
		{"its session has been up for some time", 1, 6 * time.Second, nil, nil, []string{one}, "kubectl daymark routes --peer tor --node n1"},
		{"endpoints have just changed", 1, time.Hour, changed(5 * time.Second), nil, nil, ""},
		{"endpoints changed some time ago", 1, time.Hour, changed(6 * time.Second), nil, []string{one}, "kubectl daymark routes --peer tor --node n1"},
		{"an advertisement has just changed", 1, time.Hour, []runtime.Object{&v1beta1.BGPAdvertisement{ObjectMeta: written(ago(time.Second))}}, nil, nil, ""},
		{"a Service has just changed", 1, time.Hour, []runtime.Object{&corev1.Service{ObjectMeta: written(ago(time.Second))}}, nil, nil, ""},
		{"not all is seen", 1, time.Hour, nil, []Unseen{{Resource: "services"}}, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := append([]runtime.Object{peer}, test.others...)
			for i := range 3 {
				name, digest := fmt.Sprintf("n%d", i+1), "0000000000000000"
				s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
				b := v1beta1.BGPSession{Peer: "tor", Address: "192.0.2.1", State: v1beta1.BGPEstablished, Since: ago(test.up), Families: []v1beta1.AddressFamily{v1beta1.IPv4}}
				if i < test.differ {
					digest, b.IPv4 = "0123456789abcdef", 2
				}
				b.Digest = digest
				s.Status.BGP = []v1beta1.BGPSession{b}
				objects = append(objects, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, s)
			}
			c := New(Input{Objects: objects, Unseen: test.unseen, Now: now})
			var got []string
			for _, p := range c.Status().Problems {
				if p.Reason == "SentDiffers" {
					got = append(got, p.Message)
					if p.Command != test.command {
						t.Errorf("it says to run %s, want %s", p.Command, test.command)
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if glance := c.Glance(); len(glance.Problems) != len(c.Problems().Items)-len(test.want) {
				t.Errorf("at a glance it has %+v", glance.Problems)
			}
		})
	}
}
