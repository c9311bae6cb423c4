package reconcile

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// onSegment is a controller with one Service, whose address a node can announce by layer 2 alone.
func onSegment(t *testing.T) *scaleScene {
	t.Helper()
	s := newScaleScene(t, 1)
	s.cache.Put(&v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan", UID: "lan", ResourceVersion: s.version()}})
	s.cache.Put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "n1", ResourceVersion: s.version()}})
	return s
}

// reports is what the Service says of its announcing when the speaker of the node has reported something.
func (s *scaleScene) reports(t *testing.T, layer2 v1beta1.SpeakerLayer2) metav1.Condition {
	t.Helper()
	speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "n1", ResourceVersion: s.version()}}
	speaker.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue}}
	speaker.Status.Layer2 = layer2
	s.cache.Put(speaker)
	s.decide(t)
	s.store()
	s.decide(t) // Nothing is left to write.
	c := meta.FindStatusCondition(s.services[0].Status.Conditions, v1beta1.ConditionAnnounced)
	if c == nil {
		t.Fatal("the Service does not say whether it is announced")
	}
	return *c
}

// In a roll-out the report of the holder that found a printer is gone before the next holder has probed.
func TestLoop_ConflictOutlivesTheHolderThatFoundIt(t *testing.T) {
	s := onSegment(t)
	address := s.services[0].Status.LoadBalancer.Ingress[0].IP
	held := v1beta1.SpeakerLayer2{IPv4: 1, Held: []v1beta1.HeldAddress{{Address: address}}}
	if c := s.reports(t, held); c.Reason != announce.ReasonAnnounced.Name {
		t.Fatalf("while it is held, the condition is %+v", c)
	}
	conflict := v1beta1.SpeakerLayer2{Conflicts: []v1beta1.AddressConflict{{Address: address, MAC: "02:00:00:00:00:01", Interface: "eth0"}}}
	before := s.reports(t, conflict)
	if before.Status != metav1.ConditionFalse || before.Reason != announce.ReasonAddressConflict.Name {
		t.Fatalf("of an address that a printer has, the condition is %+v", before)
	}
	for range 2 {
		if c := s.reports(t, v1beta1.SpeakerLayer2{}); c.Status != before.Status || c.Reason != before.Reason || c.Message != before.Message {
			t.Errorf("when the next holder has not probed it, the condition is %+v", c)
		}
	}
	if c := s.reports(t, held); c.Status != metav1.ConditionTrue || c.Reason != announce.ReasonAnnounced.Name {
		t.Errorf("when the next holder announces it, the condition is %+v", c)
	}
	if c := s.reports(t, v1beta1.SpeakerLayer2{}); c.Status != metav1.ConditionTrue {
		t.Errorf("between two holders, the condition is %+v", c)
	}
}

// Who gives the Service another address is rid of the printer.
func TestLoop_ConflictIsOfTheAddressThatHadIt(t *testing.T) {
	s := onSegment(t)
	address := s.services[0].Status.LoadBalancer.Ingress[0].IP
	conflict := v1beta1.SpeakerLayer2{Conflicts: []v1beta1.AddressConflict{{Address: address, MAC: "02:00:00:00:00:01", Interface: "eth0"}}}
	if c := s.reports(t, conflict); c.Reason != announce.ReasonAddressConflict.Name {
		t.Fatalf("of an address that a printer has, the condition is %+v", c)
	}
	edited := *s.services[0]
	edited.ResourceVersion = s.version()
	edited.Annotations = map[string]string{v1beta1.AnnotationLoadBalancerIPs: "10.1.2.3"}
	s.services[0] = &edited
	s.cache.Put(&edited)
	if c := s.reports(t, v1beta1.SpeakerLayer2{}); c.Reason != announce.ReasonNoHolder.Name {
		t.Errorf("of another address, the condition is %+v", c)
	}
}

// A printer that has the address of a new Service answers the first probe, which takes a moment.
func TestLoop_NewServiceIsAnnouncedWhenANodeHoldsIt(t *testing.T) {
	held := func(address string) v1beta1.SpeakerLayer2 {
		return v1beta1.SpeakerLayer2{IPv4: 1, Held: []v1beta1.HeldAddress{{Address: address}}}
	}
	s := onSegment(t)
	address := s.services[0].Status.LoadBalancer.Ingress[0].IP
	for _, step := range []struct {
		what   string
		says   v1beta1.SpeakerLayer2
		is     metav1.ConditionStatus
		reason string
	}{
		{"nothing is held", v1beta1.SpeakerLayer2{}, metav1.ConditionFalse, announce.ReasonNoHolder.Name},
		{"another address is held", held("10.0.0.99"), metav1.ConditionFalse, announce.ReasonNoHolder.Name},
		{"it is held", held(address), metav1.ConditionTrue, announce.ReasonAnnounced.Name},
		{"its holder changes", v1beta1.SpeakerLayer2{}, metav1.ConditionTrue, announce.ReasonAnnounced.Name},
	} {
		if c := s.reports(t, step.says); c.Status != step.is || c.Reason != step.reason {
			t.Errorf("when %s, the condition is %+v", step.what, c)
		}
	}
	other := onSegment(t)
	if c := other.reports(t, v1beta1.SpeakerLayer2{IPv4: 129}); c.Status != metav1.ConditionTrue {
		t.Errorf("of a node that holds more than it lists, the condition is %+v", c)
	}
}
