package view

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Who counts the others is cut off if it sees few of them. Who does not count them, as most speakers of a large cluster, is not cut off for that.
func TestCluster_CutsOfHolders(t *testing.T) {
	holder := func(name string, members int32, reason string) *v1beta1.Speaker {
		s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
		s.Status.Members = members
		s.Status.Conditions = []metav1.Condition{
			{Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue, Reason: reason, Message: "does not hear n9"},
		}
		return s
	}
	c := New(Input{Objects: []runtime.Object{
		holder("n1", 1, "NotAllSeen"), holder("n2", 3, "NotAllSeen"), holder("n3", 0, "NotAllSeen"), holder("n4", 0, "Known"),
	}})
	got := c.cutsOf([]Holder{{Node: "n1"}, {Node: "n2"}, {Node: "n3"}, {Node: "n4"}})
	if diff := cmp.Diff([]string{
		"n1 is cut off: it sees 1 of 4 speakers: does not hear n9",
		"n2 sees 3 of 4 speakers: does not hear n9",
		"n3 does not see all speakers, or not in every way: does not hear n9",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
