package status

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
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

// TestEvents: good news of one write are one Event, in which both reasons and messages are. What is wrong has an Event of its own.
func TestEvents(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
	}
	has := condition(v1beta1.ConditionAddressAssigned, metav1.ConditionTrue, "AddressAssigned", "192.0.2.1 from pool lan")
	waits := condition(v1beta1.ConditionAddressAssigned, metav1.ConditionFalse, "PoolExhausted", "pool lan is exhausted")
	announced := condition(v1beta1.ConditionAnnounced, metav1.ConditionTrue, "Announced", "192.0.2.1 by layer 2 (lan)")
	unannounced := condition(v1beta1.ConditionAnnounced, metav1.ConditionFalse, "NoEndpoints", "it has no endpoints")
	conflict := condition(v1beta1.ConditionAnnounced, metav1.ConditionTrue, announce.ReasonAddressConflict.Name, "another host has it")
	long := condition(v1beta1.ConditionAnnounced, metav1.ConditionTrue, "Announced", strings.Repeat("x", 1000))
	provenance := condition(v1beta1.ConditionProvenance, metav1.ConditionTrue, "Allocated", "class=c")
	for _, test := range []struct {
		name          string
		before, after []metav1.Condition
		want          []Event
	}{
		{"a new Service is announced at once", nil, []metav1.Condition{has, announced, provenance}, []Event{
			{"Normal", "AddressAssigned", "192.0.2.1 from pool lan; Announced: 192.0.2.1 by layer 2 (lan)"},
		}},
		{"one that waited, too", []metav1.Condition{waits, unannounced}, []metav1.Condition{has, announced}, []Event{
			{"Normal", "AddressAssigned", "192.0.2.1 from pool lan; Announced: 192.0.2.1 by layer 2 (lan)"},
		}},
		{"one without endpoints is not", nil, []metav1.Condition{has, unannounced}, []Event{
			{"Normal", "AddressAssigned", "192.0.2.1 from pool lan"}, {"Warning", "NoEndpoints", "it has no endpoints"},
		}},
		{"what is announced, and wrong", nil, []metav1.Condition{has, conflict}, []Event{
			{"Normal", "AddressAssigned", "192.0.2.1 from pool lan"}, {"Warning", announce.ReasonAddressConflict.Name, "another host has it"},
		}},
		{"what does not fit into one Event", nil, []metav1.Condition{has, long}, []Event{
			{"Normal", "AddressAssigned", "192.0.2.1 from pool lan"}, {"Normal", "Announced", strings.Repeat("x", 1000)},
		}},
		{"endpoints come later", []metav1.Condition{has, unannounced}, []metav1.Condition{has, announced}, []Event{
			{"Normal", "Announced", "192.0.2.1 by layer 2 (lan)"},
		}},
		{"two things are wrong", nil, []metav1.Condition{waits, unannounced}, []Event{
			{"Warning", "PoolExhausted", "pool lan is exhausted"}, {"Warning", "NoEndpoints", "it has no endpoints"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Events(&Service{Conditions: test.before}, &Service{Conditions: test.after}, nil); !slices.Equal(got, test.want) {
				t.Errorf("Events %+v, want %+v", got, test.want)
			}
		})
	}
}
