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
