package departure

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// inPod are the facts of a rolling update: the Pod is deleted, and the Node is well.
func inPod(change func(*Facts)) *Facts {
	now := metav1.NewTime(time.Unix(1, 0))
	f := &Facts{
		Node: &corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Message: "kubelet is posting ready status"},
		}}},
		InPod: true, Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}},
	}
	change(f)
	return f
}

func tainted(key string) func(*Facts) {
	return func(f *Facts) { f.Node.Spec.Taints = []corev1.Taint{{Key: "example.com/blue"}, {Key: key}} }
}

func TestDecide(t *testing.T) {
	ready := func(status corev1.ConditionStatus, message string) func(*Facts) {
		return func(f *Facts) {
			f.Node.Status.Conditions[0].Status, f.Node.Status.Conditions[0].Message = status, message
		}
	}
	disrupted := func(status corev1.ConditionStatus) func(*Facts) {
		return func(f *Facts) {
			f.Pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: status, Reason: "EvictionByEvictionAPI"}}
		}
	}
	for _, test := range []struct {
		name   string
		change func(*Facts)
		leave  bool
		why    string
	}{
		{"a rolling update deletes the Pod", func(*Facts) {}, false, "its Pod is deleted"},
		{"the Pod is deleted by force and gone", func(f *Facts) { f.Pod, f.PodGone = nil, true }, false, "its Pod is deleted"},
		{"a rolling update while the Node cannot be read", func(f *Facts) { f.Node = nil }, false, "its Pod is deleted"},
		{"a plain process is stopped", func(f *Facts) { f.InPod, f.Pod = false, nil }, false, "nothing says"},
		{"a plain process is stopped and nothing can be read", func(f *Facts) { *f = Facts{} }, false, "nothing says"},

		{"the node is cordoned", func(f *Facts) { f.Node.Spec.Unschedulable = true }, true, "cordoned"},
		{"a plain process on a node that is cordoned", func(f *Facts) { f.InPod, f.Node.Spec.Unschedulable = false, true }, true, "cordoned"},
		{"the kubelet shuts down, among other troubles", ready("False", "[network plugin is not ready, node is shutting down]"), true, "the kubelet shuts"},
		{"the node is not ready for another reason", ready("False", "container runtime is down"), false, "its Pod is deleted"},
		{"a node that is ready does not shut down", ready("True", "node is shutting down"), false, "its Pod is deleted"},
		{"the autoscaler deletes the node", tainted("ToBeDeletedByClusterAutoscaler"), true, "the taint ToBeDeletedByClusterAutoscaler"},
		{"the node is out of service", tainted("node.kubernetes.io/out-of-service"), true, "the taint node.kubernetes.io/out-of-service"},
		{"the machine is off, says the cloud", tainted("node.cloudprovider.kubernetes.io/shutdown"), true, "the taint node.cloud"},
		{"the node is unschedulable", tainted("node.kubernetes.io/unschedulable"), true, "the taint node.kubernetes.io/unschedulable"},
		{"Karpenter disrupts the node", tainted("karpenter.sh/disrupted"), true, "the taint karpenter.sh/disrupted"},
		{"an older Karpenter disrupts the node", tainted("karpenter.sh/disruption"), true, "the taint karpenter.sh/disruption"},
		{"the autoscaler only thinks of it", tainted("DeletionCandidateOfClusterAutoscaler"), false, "its Pod is deleted"},
		{"the Node is being deleted", func(f *Facts) { f.Node.DeletionTimestamp = f.Pod.DeletionTimestamp }, true, "is being deleted"},
		{"the Node is gone", func(f *Facts) { f.Node, f.NodeGone = nil, true }, true, "is gone"},
		{"the node is drained of traffic", func(f *Facts) { f.Node.Annotations = map[string]string{"daymark.io/drain": "true"} }, true, "daymark.io/drain"},
		{"the drain is over", func(f *Facts) { f.Node.Annotations = map[string]string{"daymark.io/drain": "false"} }, false, "its Pod is deleted"},
		{"systemd stops the machine", func(f *Facts) { f.InPod, f.SystemStopping = false, true }, true, "systemd"},

		{"the Pod is evicted", disrupted("True"), true, "evicted: EvictionByEvictionAPI"},
		{"the eviction was given up", disrupted("False"), false, "its Pod is deleted"},
		{"the machine is shut down and nobody told the kubelet", func(f *Facts) { f.Pod.DeletionTimestamp = nil }, true, "its Pod is not deleted"},
		{"the Pod cannot be read", func(f *Facts) { f.Pod, f.PodError = nil, "no route to host" }, true, "no route to host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := Decide(inPod(test.change))
			if d.Leave != test.leave || !strings.Contains(d.Why, test.why) {
				t.Errorf("decided %+v, want leave %t because %q", d, test.leave, test.why)
			}
			if d.ForGood {
				t.Error("it takes this for the end of Daymark")
			}
		})
	}
}

func TestDecide_NoSpeakerComesBack(t *testing.T) {
	for name, change := range map[string]func(*Facts){
		"the DaemonSet is deleted":                           func(f *Facts) { f.DaemonSetGone = true },
		"the DaemonSet is deleted, and the node is cordoned": func(f *Facts) { f.DaemonSetGone, f.Node.Spec.Unschedulable = true, true },
		"the rights went before the Pod":                     func(f *Facts) { f.Pod, f.PodError, f.PodForbidden = nil, "forbidden", true },
	} {
		t.Run(name, func(t *testing.T) {
			if d := Decide(inPod(change)); !d.ForGood || !d.Leave || !strings.HasPrefix(d.Why, "Daymark is uninstalled, ") {
				t.Errorf("decided %+v", d)
			}
		})
	}
}
