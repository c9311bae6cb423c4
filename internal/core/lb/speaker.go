package lb

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// SpeakerGone reports whether the controller has found that the speaker which a Speaker object is about is gone. What else the object
// says is old then. The speaker itself overwrites that when it is back.
func SpeakerGone(s *v1beta1.Speaker) bool {
	ready := meta.FindStatusCondition(s.Status.Conditions, v1beta1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionUnknown && ready.Reason == v1beta1.ReasonSpeakerGone
}

// SpeakerRenews reports whether the speaker that last wrote a Speaker object is of a version that says who is there in Leases. One of
// an earlier version replaces the whole status, without its version. Who does not renew cannot be missed.
func SpeakerRenews(s *v1beta1.Speaker) bool { return s.Status.Version != "" }

// Owner is a reference to the Node as the owner of an object, which is deleted with it.
func (n *Node) Owner() metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: n.Name, UID: n.UID}
}
