package forecast

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Drain returns what becomes of a cluster's objects, step by step, when some nodes are drained and stopped: they are cordoned, and their
// endpoints end; then their speakers leave. Where Pods that ran there run next is not known: they are endpoints no more.
func Drain(objects []runtime.Object, nodes []string) (steps [][]runtime.Object) {
	steps = make([][]runtime.Object, 2)
	for _, object := range objects {
		cordoned, stopped := drained(object, nodes)
		steps[0], steps[1] = append(steps[0], cordoned), append(steps[1], stopped)
	}
	return steps
}

// drained is an object when nodes are cordoned and empty, and when they have been stopped.
func drained(object runtime.Object, nodes []string) (cordoned, stopped runtime.Object) {
	switch o := object.(type) {
	case *discoveryv1.EndpointSlice:
		without := o.DeepCopy()
		without.Endpoints = slices.DeleteFunc(without.Endpoints, func(e discoveryv1.Endpoint) bool {
			return e.NodeName != nil && slices.Contains(nodes, *e.NodeName)
		})
		return without, without
	case *corev1.Node:
		if slices.Contains(nodes, o.Name) {
			return stoppedNode(o)
		}
	case *v1beta1.Speaker:
		if slices.Contains(nodes, o.Name) {
			gone := o.DeepCopy()
			meta.SetStatusCondition(&gone.Status.Conditions, metav1.Condition{
				Type: v1beta1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1beta1.ReasonSpeakerGone,
			})
			return o, gone
		}
	}
	return object, object
}

func stoppedNode(n *corev1.Node) (cordoned, stopped *corev1.Node) {
	cordoned = n.DeepCopy()
	cordoned.Spec.Unschedulable = true
	stopped = cordoned.DeepCopy()
	for i := range stopped.Status.Conditions {
		if stopped.Status.Conditions[i].Type == corev1.NodeReady {
			stopped.Status.Conditions[i].Status = corev1.ConditionUnknown
		}
	}
	return cordoned, stopped
}
