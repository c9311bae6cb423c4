package kubelet

import (
	"context"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/controlplane"
)

// Kubectl runs kubectl as an administrator, for three minutes at most, and returns what it printed.
func (c *Cluster) Kubectl(arguments ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	argv := append([]string{build.KubernetesProgram("kubectl"), "--kubeconfig", c.Kubeconfig}, arguments...)
	out, err := c.here.Run(ctx, "", argv...)
	check.Must(c.t, "kubectl", err)
	return strings.TrimSpace(out)
}

// Apply applies manifests as `kubectl apply --server-side` does, in the namespace default unless they say another. They stay until the
// lab ends.
func (c *Cluster) Apply(manifests string) {
	c.t.Helper()
	objects, err := controlplane.Parse(manifests)
	check.Must(c.t, "read manifests", err)
	for _, o := range objects {
		check.Must(c.t, "apply", c.ControlPlane.Apply(o))
	}
}

// RollOut waits until a workload of Daymark's namespace, such as "daemonset/daymark-speaker", runs as it is said to, everywhere.
func (c *Cluster) RollOut(workload string) {
	c.t.Helper()
	c.Kubectl("--namespace", Namespace, "rollout", "status", workload, "--timeout=150s")
}
