package view

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// A node that the DaemonSet of the speakers leaves out is not missing a speaker, and is not counted among those that have none.
func TestCluster_NodesThatAreLeftOutMissNoSpeaker(t *testing.T) {
	edge := map[string]string{"role": "edge"}
	affinity := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "role", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"db"}}}}},
	}}}
	taint := func(key string, effect corev1.TaintEffect) []corev1.Taint {
		return []corev1.Taint{{Key: key, Effect: effect}}
	}
	for _, test := range []struct {
		name   string
		pod    corev1.PodSpec
		labels map[string]string
		taints []corev1.Taint
		// missing a speaker; else the DaemonSet leaves it out because of this.
		missing bool
		why     string
	}{
		{"nothing is said", corev1.PodSpec{}, nil, nil, true, ""},
		{"its nodeSelector matches", corev1.PodSpec{NodeSelector: edge}, edge, nil, true, ""},
		{"its nodeSelector does not match", corev1.PodSpec{NodeSelector: edge}, nil, nil, false, "nodeSelector"},
		{"its affinity does not match", corev1.PodSpec{Affinity: affinity}, map[string]string{"role": "db"}, nil, false, "affinity"},
		{"its affinity matches", corev1.PodSpec{Affinity: affinity}, edge, nil, true, ""},
		{"a taint is not tolerated", corev1.PodSpec{}, nil, taint("gpu", corev1.TaintEffectNoSchedule), false, "gpu"},
		{"a taint is tolerated", corev1.PodSpec{Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}}, nil, taint("gpu", corev1.TaintEffectNoExecute), true, ""},
		{"a taint does not keep away", corev1.PodSpec{}, nil, taint("gpu", corev1.TaintEffectPreferNoSchedule), true, ""},
		{"it is cordoned", corev1.PodSpec{}, nil, taint(corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule), true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: test.labels}}
			node.Spec.Taints = test.taints
			node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
			other := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2"}}
			set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "daymark-system", Name: "daymark-speaker"}}
			test.pod.Containers = []corev1.Container{{Name: "speaker"}}
			set.Spec.Template.Spec = test.pod
			c := New(Input{
				Now: time.Unix(0, 0), System: "daymark-system",
				Objects: []runtime.Object{node, other, set, &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n2"}}},
			})
			missing, counted := false, 1
			for _, p := range c.Problems().Items {
				missing = missing || p.Reason == "SpeakerMissing" && p.Name == "n1"
			}
			if test.missing {
				counted = 2
			}
			if why := c.LeftOut("n1"); missing != test.missing || !strings.Contains(why, test.why) || (why == "") != test.missing || c.Status().Speakers.Nodes != counted {
				t.Errorf("missing %v, left out since %q, of %d nodes", missing, why, c.Status().Speakers.Nodes)
			}
		})
	}
}
