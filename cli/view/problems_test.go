package view

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
		if !strings.Contains(p.Remedy, "port 7946") {
			t.Errorf("%s: the remedy is %q", p.Name, p.Remedy)
		}
		got = append(got, string(p.Severity)+" "+p.Name+" "+p.Message)
	}
	want := []string{"Warning n1 does not see n2", "Warning n2 does not see n1; so say 2 more"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A peer that is shut down on purpose is no problem, and is said to be so.
func TestCluster_PeerThatIsShutDownIsNoProblem(t *testing.T) {
	peer := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}}
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
