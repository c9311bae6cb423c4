package view

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// goneSince is since when a speaker that is gone has been so.
func goneSince(s *v1beta1.Speaker) *metav1.Time {
	ready := meta.FindStatusCondition(s.Status.Conditions, v1beta1.ConditionReady)
	return &ready.LastTransitionTime
}

// ready reports whether a speaker says that it does all that it should.
func ready(s *v1beta1.Speaker) bool {
	return meta.IsStatusConditionTrue(s.Status.Conditions, v1beta1.ConditionReady)
}
