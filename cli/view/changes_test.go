package view

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// session of a Speaker with the router tor.
func session(name string, state v1beta1.BGPSessionState, lastError string) *v1beta1.Speaker {
	s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
	s.Status.BGP = []v1beta1.BGPSession{{Peer: "tor", Address: "192.0.2.1", State: state, LastError: lastError}}
	return s
}

// goneAs is a Speaker that the controller takes for gone.
func goneAs(s *v1beta1.Speaker) *v1beta1.Speaker {
	s = s.DeepCopy()
	s.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1beta1.ReasonSpeakerGone}}
	return s
}

// web is a Service with an address and its condition Announced.
func web(announced metav1.ConditionStatus, reason string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.200"}}
	s.Status.Conditions = []metav1.Condition{
		{Type: v1beta1.ConditionAddressAssigned, Status: metav1.ConditionTrue, Reason: "AddressAssigned"},
		{Type: v1beta1.ConditionAnnounced, Status: announced, Reason: reason, Message: "in words"},
	}
	return s
}

// TestChanges_SpeakersNotSeenAreNeitherNewNorDeleted: who may not list them any more, or may now, sees no change.
func TestChanges_SpeakersNotSeenAreNeitherNewNorDeleted(t *testing.T) {
	seen := New(Input{Objects: []runtime.Object{session("n1", v1beta1.BGPEstablished, "")}})
	unseen := New(Input{Unseen: []Unseen{{Resource: resourceSpeakers}}})
	if changes := slices.Concat(seen.Changes(unseen), unseen.Changes(seen)); len(changes) > 0 {
		t.Errorf("changes are %v", changes)
	}
}

func TestChanges_SayWhatHappened(t *testing.T) {
	type objects = []runtime.Object
	const address = "192.0.2.200"
	n1, n2, none := holding("n1", address, 1), holding("n2", address, 1), session("n2", v1beta1.BGPEstablished, "")
	idle1, idle2 := session("n1", v1beta1.BGPActive, ""), session("n2", v1beta1.BGPActive, "")
	for _, test := range []struct {
		name          string
		before, after objects
		// wanted messages; * before one of which that it is wrong.
		wanted []string
	}{
		{"nothing", objects{n1, web("True", "Announced")}, objects{n1, web("True", "Announced")}, nil},
		{"another node holds the address", objects{n1, idle2}, objects{idle1, n2}, []string{"n2 took 192.0.2.200 over from n1"}},
		{"another holds it while the report of the first is old", objects{n1, idle2}, objects{n1, n2}, []string{"n2 took 192.0.2.200 over from n1"}},
		{"the old report ends", objects{n1, n2}, objects{goneAs(n1), n2}, []string{"*the speaker of n1 is gone"}},
		{
			"nobody holds it any more, and a Service has it",
			objects{n1, web("True", "Announced")},
			objects{goneAs(n1), web("True", "Announced")},
			[]string{"*nobody holds 192.0.2.200 any more; n1 did", "*the speaker of n1 is gone"},
		},
		{"nobody holds it any more, and no Service has it", objects{n1}, objects{idle1}, []string{"nobody holds 192.0.2.200 any more; n1 did"}},
		{"it gets a holder", objects{idle1}, objects{n1}, []string{"n1 holds 192.0.2.200"}},
		{"a report that names one of 200 names another", objects{holding("n1", address, 200)}, objects{holding("n1", "192.0.2.201", 200)}, nil},
		{"a speaker is back", objects{goneAs(n1)}, objects{n1}, []string{"n1 holds 192.0.2.200", "the speaker of n1 is back"}},
		{"a session is down", objects{none}, objects{session("n2", v1beta1.BGPActive, "refused")}, []string{"*the session of n2 with tor is down: refused"}},
		{
			"a session is shut down",
			objects{none},
			objects{session("n2", v1beta1.BGPIdle, "administratively down")},
			[]string{"the session of n2 with tor is down: administratively down"},
		},
		{"a session is up", objects{session("n2", v1beta1.BGPActive, "refused")}, objects{none}, []string{"the session of n2 with tor is up"}},
		{"a session stays down", objects{session("n2", v1beta1.BGPActive, "refused")}, objects{session("n2", v1beta1.BGPActive, "timeout")}, nil},
		{"a session is gone", objects{none}, objects{&v1beta1.Speaker{ObjectMeta: none.ObjectMeta}}, []string{"the session of n2 with tor is gone"}},
		{"a session that was down is gone", objects{idle2}, objects{&v1beta1.Speaker{ObjectMeta: none.ObjectMeta}}, nil},
		{"a speaker is new", objects{idle1}, objects{idle1, none}, []string{"the speaker of n2 is new", "the session of n2 with tor is up"}},
		{"a speaker is deleted", objects{idle1, none}, objects{idle1}, []string{"the speaker of n2 is deleted", "the session of n2 with tor is gone"}},
		{"a speaker that was gone is deleted", objects{goneAs(none)}, nil, []string{"the speaker of n2 is deleted"}},
		{"a Service is not announced any more", objects{web("True", "Announced")}, objects{web("False", "NoNode")}, []string{"*shop/web: NoNode: in words"}},
		{"a Service is new", nil, objects{web("True", "Announced")}, []string{"shop/web is announced"}},
		{"a Service is gone", objects{web("True", "Announced")}, nil, []string{"shop/web is gone"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Unix(1_000_000, 0)
			before := New(Input{Objects: test.before, Now: now})
			var got []string
			for _, change := range New(Input{Objects: test.after, Now: now.Add(time.Second)}).Changes(before) {
				if change.Wrong {
					change.Message = "*" + change.Message
				}
				got = append(got, change.Message)
				if !change.Time.Time.Equal(now.Add(time.Second)) {
					t.Errorf("it was at %v", change.Time)
				}
			}
			if !slices.Equal(got, test.wanted) {
				t.Errorf("changes are %q", got)
			}
		})
	}
}
