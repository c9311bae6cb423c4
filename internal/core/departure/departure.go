package departure

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Decision is what a speaker that is told to end does.
type Decision struct {
	// Leave: the node is about to stop forwarding, or no speaker is to come back. Otherwise the speaker restarts.
	Leave bool
	// ForGood: Daymark is taken off the cluster. No other node takes over, and nothing that speakers leave behind is of use to anybody.
	// It implies Leave.
	ForGood bool
	// Why in words, which follow "the node leaves: " or "the speaker restarts: ".
	Why string
}

// Facts are what is known of the node and of the speaker's Pod at the moment when the speaker is told to end.
type Facts struct {
	// Node of the speaker; nil: it could not be read. NodeGone: there is none.
	Node     *corev1.Node
	NodeGone bool
	// InPod: the speaker runs in a Pod. Pod is it; nil: it could not be read, for the reason PodError. PodGone: there is none
	// any more.
	InPod    bool
	Pod      *corev1.Pod
	PodError string
	PodGone  bool
	// PodForbidden: the speaker has no right any more in its namespace, so none to read its Pod.
	PodForbidden bool
	// DaemonSetGone: there is none any more of the name that the Pod belongs to, or it is being deleted.
	DaemonSetGone bool
	// SystemStopping: systemd stops the machine; false where there is no systemd to ask.
	SystemStopping bool
}

// leavingTaints are those of nodes that are about to be stopped or deleted.
var leavingTaints = []string{
	corev1.TaintNodeUnschedulable, corev1.TaintNodeOutOfService, "node.cloudprovider.kubernetes.io/shutdown",
	"ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption", // The last until version 0.37.
}

// kubeletShutdown is what the kubelet's condition Ready says while it shuts the node down gracefully, among other texts.
const kubeletShutdown = "node is shutting down"

// Decide decides. Who is in doubt leaves: other nodes carry the traffic meanwhile, while routes that stay when the node has
// stopped forwarding lose it for the restart time.
func Decide(f *Facts) Decision {
	if why := uninstalled(f); why != "" {
		return Decision{Leave: true, ForGood: true, Why: why}
	}
	for _, find := range []func(*Facts) string{nodeLeaves, machineStops, podEndsWithNode} {
		if why := find(f); why != "" {
			return Decision{Leave: true, Why: why}
		}
	}
	if f.InPod {
		return Decision{Why: "its Pod is deleted, and nothing says that the node stops"}
	}
	return Decision{Why: "nothing says that the node stops"}
}

// uninstalled says why no speaker will come back; empty: nothing says so. Who uninstalls deletes rights and programs within a few
// milliseconds, so the rights may be gone when the process is told to end.
func uninstalled(f *Facts) string {
	switch {
	case f.DaemonSetGone:
		return "Daymark is uninstalled, since the DaemonSet of the speakers is deleted"
	case f.PodForbidden:
		return "Daymark is uninstalled, since the speaker has no rights any more, not even to read its own Pod"
	}
	return ""
}

// nodeLeaves says what the Node object says; empty: nothing.
func nodeLeaves(f *Facts) string {
	switch n := f.Node; {
	case f.NodeGone:
		return "the Node object is gone"
	case n == nil:
		return ""
	case n.DeletionTimestamp != nil:
		return "the Node object is being deleted"
	case n.Annotations[v1beta1.AnnotationDrain] == "true":
		return fmt.Sprintf(`the node has the annotation %s: "true"`, v1beta1.AnnotationDrain)
	case n.Spec.Unschedulable:
		return "the node is cordoned"
	}
	for i := range f.Node.Spec.Taints {
		if key := f.Node.Spec.Taints[i].Key; slices.Contains(leavingTaints, key) {
			return "the node has the taint " + key
		}
	}
	for i := range f.Node.Status.Conditions {
		c := &f.Node.Status.Conditions[i]
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue && strings.Contains(c.Message, kubeletShutdown) {
			return "the kubelet shuts the node down"
		}
	}
	return ""
}

func machineStops(f *Facts) string {
	if f.SystemStopping {
		return "systemd stops the machine"
	}
	return ""
}

// podEndsWithNode says why the end of the Pod is not a restart of the speaker; empty: it may be one. A process is told to end
// whose Pod is not deleted when systemd stops the machine and the kubelet has not been told. A container whose liveness
// probe fails looks alike: it leaves, too, and is back within seconds.
func podEndsWithNode(f *Facts) string {
	switch {
	case !f.InPod || f.PodGone:
		return ""
	case f.Pod == nil:
		return "the speaker's Pod cannot be read: " + f.PodError
	}
	for i := range f.Pod.Status.Conditions {
		if c := &f.Pod.Status.Conditions[i]; c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return "the speaker's Pod is evicted: " + c.Reason
		}
	}
	if f.Pod.DeletionTimestamp == nil {
		return "the speaker is told to end though its Pod is not deleted, as when the machine is shut down"
	}
	return ""
}
