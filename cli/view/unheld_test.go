package view

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// A change that speakers may not have reported on says nothing of holders, nor does what is not seen.
func TestCluster_UnheldIsNotSaidTooEarly(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	announced := func(since time.Duration) runtime.Object {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
		s.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionAnnounced, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-since))}}
		return s
	}
	for _, test := range []struct {
		name  string
		input Input
		want  bool
	}{
		{"long ago", Input{Now: now, Objects: []runtime.Object{announced(time.Hour)}}, true},
		{"a moment ago", Input{Now: now, Objects: []runtime.Object{announced(time.Second)}}, false},
		{"not all is seen", Input{Now: now, Objects: []runtime.Object{announced(time.Hour)}, Unseen: []Unseen{{Resource: resourceSpeakers}}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := New(test.input).settled(); got != test.want {
				t.Errorf("settled: %v", got)
			}
		})
	}
}
