package kubelet

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// Speaker is the speaker's pod on a node that is not being deleted.
func (c *Cluster) Speaker(node string) (corev1.Pod, error) {
	ctx, cancel := check.Context()
	defer cancel()
	pods := &corev1.PodList{}
	labels := client.MatchingLabels{"app.kubernetes.io/component": "speaker"}
	if err := c.API.List(ctx, pods, client.InNamespace(Namespace), labels); err != nil {
		return corev1.Pod{}, err
	}
	i := slices.IndexFunc(pods.Items, func(p corev1.Pod) bool { return p.Spec.NodeName == node && p.DeletionTimestamp == nil })
	if i < 0 {
		return corev1.Pod{}, fmt.Errorf("%s has no speaker", node)
	}
	return pods.Items[i], nil
}

// Restarts is how often kubelet has started the node's speaker again in its pod.
func (c *Cluster) Restarts(node string) (n int32) {
	c.t.Helper()
	pod, err := c.Speaker(node)
	check.Must(c.t, "find the speaker", err)
	for _, status := range pod.Status.ContainerStatuses {
		n += status.RestartCount
	}
	return n
}

// AwaitRestart waits until kubelet has started the node's speaker more often than before and it is ready, and returns how long that took.
func (c *Cluster) AwaitRestart(node string, before int32) time.Duration {
	c.t.Helper()
	return check.Eventually(c.t, 2*time.Minute, "kubelet has the speaker of "+node+" ready again", func() error {
		pod, err := c.Speaker(node)
		if err != nil {
			return err
		}
		for _, status := range pod.Status.ContainerStatuses {
			if status.RestartCount == before || !status.Ready {
				return fmt.Errorf("it was started again %d times, ready: %t", status.RestartCount, status.Ready)
			}
		}
		return nil
	})
}
