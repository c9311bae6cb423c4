package lab

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// ForwardPortsOfSpeakers gives each speaker a Pod with a port of a name, and has the nodes forward it, until the test ends.
func (c *Cluster) ForwardPortsOfSpeakers(name string, port int32) {
	c.t.Helper()
	for _, n := range c.nodes {
		kubelet, err := n.ForwardPorts()
		c.must("play a kubelet", err)
		c.t.Cleanup(func() { c.must("stop playing a kubelet", kubelet.Close()) })
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "speaker-" + n.Name, Labels: map[string]string{
				"app.kubernetes.io/name": "daymark", "app.kubernetes.io/component": "speaker",
			}},
			Spec: corev1.PodSpec{
				NodeName: n.Name, HostNetwork: true,
				Containers: []corev1.Container{{
					Name: "speaker", Image: "lab/speaker", Ports: []corev1.ContainerPort{{Name: name, ContainerPort: port}},
				}},
			},
		}
		ctx, cancel := check.Context()
		c.must("make a Pod", c.API().Create(ctx, pod))
		cancel()
		c.t.Cleanup(func() {
			ctx, cancel := check.Context()
			defer cancel()
			c.must("delete a Pod", c.API().Delete(ctx, pod, client.GracePeriodSeconds(0)))
		})
	}
}
