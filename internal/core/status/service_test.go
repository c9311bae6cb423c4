package status

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

func TestParseService_KeepsOwnConditions(t *testing.T) {
	own := metav1.Condition{Type: v1beta1.ConditionAnnounced, Message: "ours"}
	foreign := metav1.Condition{Type: "example.com/Ready", Message: "theirs"}
	s := &corev1.Service{}
	s.Status.Conditions = []metav1.Condition{foreign, own}
	if got := ParseService(s).Conditions; !slices.Equal(got, []metav1.Condition{own}) {
		t.Errorf("conditions %v, want only that of Daymark", got)
	}
	if !slices.Equal(s.Status.Conditions, []metav1.Condition{foreign, own}) {
		t.Errorf("the object was changed: %v", s.Status.Conditions)
	}
	s.Status.Conditions = []metav1.Condition{own}
	if got := ParseService(s).Conditions; &got[0] != &s.Status.Conditions[0] {
		t.Error("the list is copied though there is nothing to leave out")
	}
}
