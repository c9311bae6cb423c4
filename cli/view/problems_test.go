package view

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// A node whose gossip is cut off is a problem though its speaker and the others announce; it is one, however many see it.
func TestCluster_NodeThatTheGossipDoesNotReachIsAProblem(t *testing.T) {
	var objects []runtime.Object
	for i, message := range []string{"does not see n2", "does not see n1", "does not see n1", "does not see n1"} {
		s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i+1)}}
		s.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: "True", Reason: "NotAllSeen", Message: message}}
		objects = append(objects, s)
	}
	var got []string
	for _, p := range New(Input{Now: time.Unix(0, 0), Objects: objects}).Problems().Items {
		if !strings.Contains(p.Remedy, "port 7477") {
			t.Errorf("%s: the remedy is %q", p.Name, p.Remedy)
		}
		got = append(got, string(p.Severity)+" "+p.Name+" "+p.Message)
	}
	want := []string{"Warning n1 does not see n2", "Warning n2 does not see n1; so say 2 more"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A firewall must pass the port that is set, which is not always the default.
func TestCluster_RemedyNamesTheGossipPortThatIsSet(t *testing.T) {
	speaker := func(name, address string) *v1beta1.Speaker {
		s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
		s.Status.GossipAddress = address
		s.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: "True", Reason: "NotAllSeen", Message: name}}
		return s
	}
	gone := speaker("n9", "192.0.2.19:7999")
	gone.Status.Conditions = append(gone.Status.Conditions, metav1.Condition{Type: v1beta1.ConditionReady, Status: "Unknown", Reason: v1beta1.ReasonSpeakerGone})
	set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "daymark-system"}}
	set.Spec.Template.Spec.Containers = []corev1.Container{{Name: "speaker", Args: []string{"--gossip-bind-address=[2001:db8::1]:7966"}}}
	for _, test := range []struct {
		name    string
		objects []runtime.Object
		want    string
	}{
		{"all speakers at another one", []runtime.Object{speaker("n1", "192.0.2.11:7956"), speaker("n2", "[2001:db8::12]:7956"), set}, "port 7956 through"},
		{"in the middle of a change", []runtime.Object{speaker("n1", "192.0.2.11:7956"), speaker("n2", "192.0.2.12:7946")}, "port 7946 and 7956 through"},
		{"a speaker that is gone, and was elsewhere", []runtime.Object{speaker("n1", "192.0.2.11:7956"), gone}, "port 7956 through"},
		{"no speaker says it, and the DaemonSet does", []runtime.Object{speaker("n1", ""), set}, "port 7966 through"},
		{"nobody says it", []runtime.Object{speaker("n1", "")}, "port 7477 through"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := New(Input{Now: time.Unix(0, 0), Objects: test.objects, System: "daymark-system"})
			if remedy := c.ExplainNode("n1").Speaker.Conditions[0].Remedy; !strings.Contains(remedy, test.want) {
				t.Errorf("what to do about the node is %q, without %q", remedy, test.want)
			}
			for _, p := range c.Problems().Items {
				if p.Reason == "NotAllSeen" && !strings.Contains(p.Remedy, test.want) {
					t.Errorf("what to do about %s is %q, without %q", p.Name, p.Remedy, test.want)
				}
			}
		})
	}
}

// A peer that is shut down on purpose is no problem, and is said to be so.
func TestCluster_PeerThatIsShutDownIsNoProblem(t *testing.T) {
	peer := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}}
	peer.Spec.MyASN, peer.Spec.PeerASN, peer.Spec.PeerAddress = 64512, new(int64(64513)), "192.0.2.1"
	peer.Spec.AdminState, peer.Spec.ShutdownMessage = v1beta1.AdminDown, "new line card"
	peer.Status.Nodes = 3
	down := metav1.Condition{Type: v1beta1.ConditionSessionsEstablished, Status: "False", Reason: "AdministrativelyDown"}
	peer.Status.Conditions = []metav1.Condition{down}
	c := New(Input{Now: time.Unix(0, 0), Objects: []runtime.Object{peer}})
	if problems := c.Problems().Items; len(problems) > 0 {
		t.Errorf("problems are %+v", problems)
	}
	if x := c.ExplainPeer("tor"); x.AdminState != v1beta1.AdminDown || x.ShutdownMessage != "new line card" || x.Conditions[0].Wrong {
		t.Errorf("it is explained as %+v", x)
	}
	if status := c.Status(); status.Peers[0].AdminState != v1beta1.AdminDown {
		t.Errorf("the status is %+v", status.Peers)
	}
}
