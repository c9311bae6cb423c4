package kubelet_test

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
)

func TestMain(m *testing.M) { kubelet.Main(m, build.PlainDaymark) }

// TestRelease_ServesUnderARealKubelet installs what is published and nothing else, reaches an address by ARP and one by BGP, and has
// both served while the speakers are rolled, and while one is killed.
func TestRelease_ServesUnderARealKubelet(t *testing.T) {
	kubelet.Need(t)
	release, err := kubelet.TreeRelease()
	check.Must(t, "make the release", err)
	c := kubelet.Start(t, kubelet.Settings{Images: release.Images})
	c.Install(release)
	lan, wan := c.Serve()

	t.Run("what it runs as is what the manifests allow", func(t *testing.T) { confined(t, c) })
	t.Run("a roll-out of the speakers loses no new connection", func(t *testing.T) {
		during(t, c, lan, wan, func() {
			c.Kubectl("--namespace", kubelet.Namespace, "rollout", "restart", "daemonset/daymark-speaker")
			c.RollOut("daemonset/daymark-speaker")
		})
	})
	t.Run("a speaker that is killed loses no new connection by BGP, and kubelet starts it again", func(t *testing.T) {
		killed(t, c, wan)
	})
}

// during does something while both Services are asked for every 10 ms. No new connection may fail. By ARP one that is under way when the
// address moves is reset, one for each node at most.
func during(t *testing.T, c *kubelet.Cluster, lan, wan netip.Addr, do func()) {
	t.Helper()
	near, far := c.Client().Probe(kubelet.URL(lan)), c.FarClient().Probe(kubelet.URL(wan))
	began := time.Now()
	do()
	took := time.Since(began)
	byARP, byBGP := near.Stop(), far.Stop()
	t.Logf("by ARP, in %.1f s: %s, %d of these when they were open", took.Seconds(), byARP, len(byARP.Broken()))
	t.Logf("by BGP, in %.1f s: %s", took.Seconds(), byBGP)
	if broken := len(byARP.Broken()); byARP.Failed() > broken || broken > len(c.Nodes) {
		t.Errorf("by ARP %d connections failed, %d of them when they were open: %v", byARP.Failed(), broken, byARP.FirstError())
	}
	if byBGP.Failed() > 0 {
		t.Errorf("by BGP %d connections failed: %v", byBGP.Failed(), byBGP.FirstError())
	}
}

// killed kills the speaker of n1.
func killed(t *testing.T, c *kubelet.Cluster, wan netip.Addr) {
	t.Helper()
	far := c.FarClient().Probe(kubelet.URL(wan))
	before := restarts(t, c, "n1")
	check.Must(t, "kill the speaker", c.Node("n1").Signal("speaker", syscall.SIGKILL))
	took := check.Eventually(t, time.Minute, "kubelet has the speaker ready again", func() error {
		if now := restarts(t, c, "n1"); now != before+1 {
			return fmt.Errorf("it was restarted %d times", now)
		}
		if !ready(t, c, "n1") {
			return fmt.Errorf("it is not ready")
		}
		return nil
	})
	report := far.Stop()
	t.Logf("ready again after %.1f s: %s", took.Seconds(), report)
	if report.Failed() > 0 {
		t.Errorf("%d connections failed: %v", report.Failed(), report.FirstError())
	}
}

// speaker is the speaker's pod of a node.
func speaker(t *testing.T, c *kubelet.Cluster, node string) corev1.Pod {
	t.Helper()
	ctx, cancel := check.Context()
	defer cancel()
	pods := &corev1.PodList{}
	labels := client.MatchingLabels{"app.kubernetes.io/component": "speaker"}
	check.Must(t, "list speakers", c.API.List(ctx, pods, client.InNamespace(kubelet.Namespace), labels))
	i := slices.IndexFunc(pods.Items, func(p corev1.Pod) bool { return p.Spec.NodeName == node && p.DeletionTimestamp == nil })
	if i < 0 {
		t.Fatalf("%s has no speaker", node)
	}
	return pods.Items[i]
}

func restarts(t *testing.T, c *kubelet.Cluster, node string) (n int32) {
	t.Helper()
	for _, status := range speaker(t, c, node).Status.ContainerStatuses {
		n += status.RestartCount
	}
	return n
}

func ready(t *testing.T, c *kubelet.Cluster, node string) bool {
	t.Helper()
	for _, status := range speaker(t, c, node).Status.ContainerStatuses {
		if !status.Ready {
			return false
		}
	}
	return true
}
