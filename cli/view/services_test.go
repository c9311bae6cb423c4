package view

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// TestServices_OneThatKeepsItsAddressIsReached: a Service that cannot have what it asks for waits when it has nothing of ours, or what it
// has is not announced.
func TestServices_OneThatKeepsItsAddressIsReached(t *testing.T) {
	ours := metav1.Condition{Type: v1beta1.ConditionProvenance, Status: metav1.ConditionTrue, Message: "class=daymark.io/daymark 192.0.2.200=lan"}
	asksForAnother := func(announced metav1.ConditionStatus, more ...metav1.Condition) *corev1.Service {
		s := web(announced, "Announced")
		s.Status.Conditions[0].Status, s.Status.Conditions[0].Reason = metav1.ConditionFalse, "AddressTaken"
		s.Status.Conditions = append(s.Status.Conditions, more...)
		return s
	}
	for _, test := range []struct {
		name    string
		service *corev1.Service
		want    ServicesLine
		problem Severity
		says    string
	}{
		{"it keeps an address of ours", asksForAnother(metav1.ConditionTrue, ours), ServicesLine{Total: 1, Kept: 1}, Warning, "yes, kept: AddressTaken"},
		{"nobody announces what it keeps", asksForAnother(metav1.ConditionFalse, ours), ServicesLine{Total: 1, Waiting: 1}, Critical, "no: AddressTaken"},
		{"another provider gave what it has", asksForAnother(metav1.ConditionTrue), ServicesLine{Total: 1, Waiting: 1}, Critical, "no: AddressTaken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := New(Input{Objects: []runtime.Object{test.service}})
			if diff := cmp.Diff(test.want, c.Status().Services); diff != "" {
				t.Error(diff)
			}
			line, problems := c.Services().Items[0], c.Problems().Items
			if !line.State.Wrong() || line.Short() != test.says || len(problems) != 1 || problems[0].Severity != test.problem {
				t.Errorf("it reads %q, and is %+v", line.Short(), problems)
			}
		})
	}
}
