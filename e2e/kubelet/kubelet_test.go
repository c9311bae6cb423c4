package kubelet_test

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
)

func TestMain(m *testing.M) { kubelet.Main(m, build.Release) }

// TestRelease_ServesUnderARealKubelet installs what is published and nothing else, reaches an address by ARP and one by BGP, and has
// both served while the speakers are rolled, and while one is killed.
func TestRelease_ServesUnderARealKubelet(t *testing.T) {
	kubelet.Need(t)
	release, err := kubelet.ReadRelease()
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

// during does something while both Services are asked for every 10 ms. No new connection may fail. By ARP those that are
// open when the address moves are reset: the pods know them from the node before.
func during(t *testing.T, c *kubelet.Cluster, lan, wan netip.Addr, do func()) {
	t.Helper()
	near, far := c.Client().Probe(kubelet.URL(lan)), c.FarClient().Probe(kubelet.URL(wan))
	near.Forget() // or a client that has asked once would not see that nobody answers
	began := time.Now()
	do()
	took := time.Since(began)
	byARP, byBGP := near.Stop(), far.Stop()
	t.Logf("by ARP, in %.1f s: %s, %d of these when they were open", took.Seconds(), byARP, len(byARP.Broken()))
	t.Logf("by BGP, in %.1f s: %s", took.Seconds(), byBGP)
	if broken := len(byARP.Broken()); byARP.Failed() > broken {
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
	before := c.Restarts("n1")
	check.Must(t, "kill the speaker", c.Node("n1").Signal("speaker", syscall.SIGKILL))
	took := c.AwaitRestart("n1", before)
	report := far.Stop()
	t.Logf("ready again after %.1f s: %s", took.Seconds(), report)
	if report.Failed() > 0 {
		t.Errorf("%d connections failed: %v", report.Failed(), report.FirstError())
	}
}
