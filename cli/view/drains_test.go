package view

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

func TestStatus_SaysWhichNodesMayBeStopped(t *testing.T) {
	node := func(annotation string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Annotations: map[string]string{v1beta1.AnnotationDrain: annotation}}}
	}
	down := func(annotation string) *corev1.Node {
		n := node(annotation)
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
		return n
	}
	speaker := func(safe metav1.ConditionStatus, reason string, minutes ...int) *v1beta1.Speaker {
		s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
		s.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionSafeToStop, Status: safe, Reason: reason}}
		for _, m := range minutes {
			if s.Status.Draining == nil {
				s.Status.Draining = &v1beta1.SpeakerDraining{Connections: 7, Addresses: 3}
			}
			s.Status.Draining.List = append(s.Status.Draining.List, v1beta1.DrainingAddress{Until: metav1.Unix(int64(60*m), 0)})
		}
		return s
	}
	heard := func(s *v1beta1.Speaker, drained bool) *v1beta1.Speaker {
		s = s.DeepCopy()
		s.Status.Drained = &drained
		return s
	}
	attracting, left, safe := speaker("False", "Attracting"), speaker("False", "ConnectionsLeft", 2, 8, 5), speaker("True", "NothingLeft")
	for _, test := range []struct {
		name    string
		objects []runtime.Object
		wanted  string
	}{
		{"a node that nobody drains is not listed", []runtime.Object{node("false"), attracting}, ""},
		{"nor one that may be stopped though nobody drains it", []runtime.Object{node(""), safe}, ""},
		{"one that has given all up", []runtime.Object{node("true"), safe}, "n1 true True NothingLeft 0 0"},
		{"one that has just been asked to", []runtime.Object{node("true"), attracting}, "n1 true False Attracting 0 0"},
		{"its speaker has heard of it", []runtime.Object{node("true"), heard(safe, true)}, "n1 true True NothingLeft 0 0"},
		{"its speaker has not, and says what was before", []runtime.Object{node("true"), heard(safe, false)}, "n1 true Unknown  0 0 unheard"},
		{"one that nobody drains is as its speaker says", []runtime.Object{node(""), heard(left, false)}, "n1 false False ConnectionsLeft 7 3 8m0s"},
		{"one with connections left, the last of them for 8 minutes", []runtime.Object{node("true"), left}, "n1 true False ConnectionsLeft 7 3 8m0s"},
		{"one whose addresses moved away without a drain", []runtime.Object{node(""), left}, "n1 false False ConnectionsLeft 7 3 8m0s"},
		{"of a speaker that is gone nothing is believed", []runtime.Object{node("true"), goneAs(safe)}, "n1 true Unknown  0 0 SpeakerGone"},
		{"nor of connections on it", []runtime.Object{node(""), goneAs(left)}, ""},
		{"one that never had a speaker", []runtime.Object{node("true")}, "n1 true Unknown  0 0 NoSpeaker"},
		{"what is said of a node that is down is perhaps old", []runtime.Object{down("true"), left}, "n1 true False ConnectionsLeft 7 3 NodeNotReady 8m0s"},
		{"that it may be stopped, too", []runtime.Object{down("true"), safe}, "n1 true True NothingLeft 0 0 NodeNotReady"},
		{"and of one that nobody drains", []runtime.Object{down(""), left}, "n1 false False ConnectionsLeft 7 3 NodeNotReady 8m0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			for _, l := range New(Input{Objects: test.objects}).Status().Drains {
				got += fmt.Sprint(l.Node, " ", l.Drained, " ", l.SafeToStop, " ", l.Reason, " ", l.Connections, " ", l.Addresses)
				if l.Silent != "" {
					got += " " + string(l.Silent)
				}
				if l.Unheard {
					got += " unheard"
				}
				if l.Until != nil {
					got += " " + time.Duration(l.Until.Unix()*int64(time.Second)).String()
				}
			}
			if got != test.wanted {
				t.Errorf("it says %q, want %q", got, test.wanted)
			}
		})
	}
}
