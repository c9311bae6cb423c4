package view

import (
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	scheduling "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// tolerated are what Kubernetes has each Pod of a DaemonSet tolerate that uses the network of its node.
var tolerated = func() (all []corev1.Toleration) {
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		all = append(all, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute})
	}
	for _, key := range []string{
		corev1.TaintNodeDiskPressure, corev1.TaintNodeMemoryPressure, corev1.TaintNodePIDPressure, corev1.TaintNodeUnschedulable, corev1.TaintNodeNetworkUnavailable,
	} {
		all = append(all, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})
	}
	return all
}()

// LeftOut says why the speakers' DaemonSet has no Pod run on a node; empty when it has one run there, or is not seen.
func (c *Cluster) LeftOut(node string) string {
	set, raw := c.SpeakerSet(), c.nodes[node]
	if set == nil || raw == nil {
		return ""
	}
	return LeftOutBy(&set.Spec.Template.Spec, raw)
}

// LeftOutBy says why a DaemonSet with such a Pod, which uses the network of its node, has none run on a node; empty when it has.
func LeftOutBy(pod *corev1.PodSpec, raw *corev1.Node) string {
	if match, err := nodeaffinity.NewRequiredNodeAffinity(pod.NodeSelector, pod.Affinity).Match(raw); err == nil && !match {
		return "its nodeSelector or affinity does not match the node"
	}
	keepsAway := func(t *corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	}
	tolerations := append(pod.Tolerations[:len(pod.Tolerations):len(pod.Tolerations)], tolerated...)
	if taint, found := scheduling.FindMatchingUntoleratedTaint(logr.Discard(), raw.Spec.Taints, tolerations, keepsAway, false); found {
		return "it does not tolerate the node's taint " + taint.ToString()
	}
	return ""
}
