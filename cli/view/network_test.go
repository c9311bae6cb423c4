package view

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

func TestNetwork_SaysHowEachNodeIs(t *testing.T) {
	node := func(ready corev1.ConditionStatus) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
		return n
	}
	well := holding("n1", "192.0.2.200", 1)
	complains := well.DeepCopy()
	complains.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionServiceProxyUnhealthy, Status: metav1.ConditionTrue, Reason: "AttractsNothing"}}
	for _, test := range []struct {
		name    string
		objects []runtime.Object
		wanted  string
	}{
		{"a node whose speaker is well", []runtime.Object{node("True"), well}, "Ready  1"},
		{"one whose speaker complains", []runtime.Object{node("True"), complains}, "Complains AttractsNothing 1"},
		{"one that is not ready", []runtime.Object{node("False"), complains}, "NotReady  1"},
		{"one whose speaker is gone", []runtime.Object{node("False"), goneAs(well)}, "SpeakerGone SpeakerGone 1"},
		{"one without a speaker", []runtime.Object{node("True")}, "NoSpeaker  0"},
		{"a speaker whose node is not seen", []runtime.Object{well}, "Ready  1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			nodes := New(Input{Objects: test.objects}).Network().Nodes
			if len(nodes) != 1 || fmt.Sprint(nodes[0].State, " ", nodes[0].Reason, " ", nodes[0].Held) != test.wanted {
				t.Errorf("nodes are %+v", nodes)
			}
		})
	}
}

func TestNetwork_CountsSessionsThatBFDSaysAreUp(t *testing.T) {
	asn := int64(64513)
	tor := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}}
	tor.Spec = v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: &asn, PeerAddress: "192.0.2.1", BFDProfile: "fast"}
	up, down, gone := session("n1", v1beta1.BGPEstablished, ""), session("n2", v1beta1.BGPEstablished, ""), session("n3", v1beta1.BGPEstablished, "")
	up.Status.BGP[0].BFD, up.Status.BGP[0].IPv4, up.Status.BGP[0].IPv6 = "Up", 3, 2
	down.Status.BGP[0].BFD, gone.Status.BGP[0].BFD = "Down: it has not been heard", "Up"
	n := New(Input{Objects: []runtime.Object{tor, up, down, goneAs(gone)}}).Network()
	if r := n.Routers[0]; n.Layer2 || !r.BFD || r.BFDUp != 1 || r.ASN != "64513" || r.Where != "192.0.2.1" || n.Nodes[0].Told() != 5 {
		t.Errorf("the network is %+v", n)
	}
}

func TestEvents_StandInForChangesThatNobodySaw(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	event := func(name, kind string, seconds int) *eventsv1.Event {
		e := &eventsv1.Event{ObjectMeta: metav1.ObjectMeta{Name: name}, Type: corev1.EventTypeWarning, Reason: "PoolExhausted", Note: name}
		e.Regarding = corev1.ObjectReference{Kind: kind, Namespace: "shop", Name: "web"}
		e.EventTime = metav1.NewMicroTime(at.Add(time.Duration(seconds) * time.Second))
		return e
	}
	c := New(Input{Objects: []runtime.Object{event("old", "Service", -9), event("pod", "Pod", -8), event("newer", "Service", -7), event("later", "Service", 1)}})
	changes := c.EventsBefore(at)
	if len(changes) != 2 || changes[0].Message != "shop/web: PoolExhausted: newer" || changes[1].Message != "shop/web: PoolExhausted: old" || !changes[0].Wrong {
		t.Errorf("changes are %+v", changes)
	}
}

// What runs is shown, and that the object as it is written does not count: because it is not understood, or because no node could have a session.
func TestCluster_PeerIsShownAsItCounts(t *testing.T) {
	peer := func(change func(*v1beta1.BGPPeerSpec)) *v1beta1.BGPPeer {
		p := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor", Generation: 2}}
		p.Spec = v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513)), PeerAddress: "192.0.2.1", BFDProfile: "fast"}
		p.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: 1, Spec: *p.Spec.DeepCopy()}
		change(&p.Spec)
		return p
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	for _, test := range []struct {
		name   string
		change func(*v1beta1.BGPPeerSpec)
		where  string
		says   string
	}{
		{"an edit that is accepted", func(s *v1beta1.BGPPeerSpec) { s.PeerAddress = "192.0.2.2" }, "192.0.2.2", ""},
		{
			"one that is not understood", func(s *v1beta1.BGPPeerSpec) { s.PeerAddress, s.BFDProfile = "192.0.2.256", "" }, "192.0.2.1",
			`peerAddress: "192.0.2.256" is not an address; what it said in generation 1 counts until then`,
		},
		{
			"one by which no node has a session", func(s *v1beta1.BGPPeerSpec) {
				s.PeerAddress, s.BFDProfile, s.PeerFrom = "", "", &v1beta1.PeerFrom{NodeAnnotation: "example.com/routers"}
			}, "192.0.2.1",
			"no node that nodeSelectors match has the annotation example.com/routers; what it said in generation 1 counts until then",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := New(Input{Objects: []runtime.Object{peer(test.change), node}})
			x, router := c.ExplainPeer("tor"), c.Network().Routers[0]
			for what, line := range map[string]PeerLine{"explain": x.PeerLine, "status": c.Status().Peers[0], "picture": router.PeerLine} {
				if line.Where != test.where || line.NotAccepted != test.says {
					t.Errorf("%s: %s, not accepted: %q", what, line.Where, line.NotAccepted)
				}
			}
			if x.BFDProfile != "fast" || !router.BFD {
				t.Errorf("BFD runs, and is not shown: %q, %t", x.BFDProfile, router.BFD)
			}
		})
	}
}
