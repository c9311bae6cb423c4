package kubelet_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/controlplane"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
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
	t.Run("a roll-out of the speakers loses no connection, new or open", func(t *testing.T) {
		during(t, c, lan, wan, func() {
			c.Kubectl("--namespace", kubelet.Namespace, "rollout", "restart", "daemonset/daymark-speaker")
			c.RollOut("daemonset/daymark-speaker")
			passesOn(t, c, lan) // now, since the rules go when no connection is left
		})
	})
	t.Run("a speaker that is killed loses no new connection by BGP, and kubelet starts it again", func(t *testing.T) {
		killed(t, c, wan)
	})
	t.Run("a DaemonSet that is deleted takes routes and answers with it", func(t *testing.T) { uninstalled(t, c, lan, wan) })
}

// kept is how many connections are held open by each way to announce.
const kept = 20

// during does something while both Services are asked for every 10 ms and connections to both are held. None may fail, new or open.
// What is not answered in time while pods do not answer at their own addresses either is the machine's, and is only said.
func during(t *testing.T, c *kubelet.Cluster, lan, wan netip.Addr, do func()) {
	t.Helper()
	control := c.Control()
	near, far := c.Client().Probe(kubelet.URL(lan)), c.FarClient().Probe(kubelet.URL(wan))
	near.Forget() // or a client that has asked once would not see that nobody answers
	heldNear := kubelet.Hold(c.Client(), netip.AddrPortFrom(lan, 80).String(), kept)
	heldFar := kubelet.Hold(c.FarClient(), netip.AddrPortFrom(wan, 80).String(), kept)
	began := time.Now()
	do()
	took := time.Since(began)
	reports := map[string]probe.Report{"ARP": near.Stop(), "BGP": far.Stop()}
	held := map[string][]error{"ARP": heldNear.Stop(), "BGP": heldFar.Stop()}
	straight := control.Stop()
	t.Logf("straight to pods: %s", straight)
	for way, all := range reports {
		report, starved := all.Without(straight)
		t.Logf("by %s, in %.1f s: %s, %d of these when they were open; %d of %d held broke; %d not answered in time when pods did not either",
			way, took.Seconds(), report, len(report.Broken()), len(held[way]), kept, starved)
		if report.Failed() > 0 {
			t.Errorf("by %s %d connections failed, %d of them when they were open: %v", way, report.Failed(), len(report.Broken()), report.FirstError())
		}
		for _, err := range held[way] {
			t.Errorf("a connection that was held by %s broke: %v", way, err)
		}
	}
}

// passesOn waits until open connections are seen to survive by what is meant for them: all speakers say that they can pass on, with the
// capabilities that the manifests give them and no more, and a node has rules for the address that has moved.
func passesOn(t *testing.T, c *kubelet.Cluster, lan netip.Addr) {
	t.Helper()
	for _, m := range c.Nodes {
		c.Await("the speaker of "+m.Name+" can pass on", func() error {
			speaker, err := c.Look("daymark.io/v1beta1", "Speaker", m.Name)
			if err != nil {
				return err
			}
			if says := controlplane.Condition(speaker, "ConnectionsBreak"); !strings.HasPrefix(says, "False ") {
				return errors.New("ConnectionsBreak: " + says)
			}
			return nil
		})
	}
	c.Await("a node has rules for an address that has moved", func() error {
		for _, m := range c.Nodes {
			ctx, cancel := check.Context()
			table, err := m.Run(ctx, "", "nft", "list", "table", "ip", "daymark")
			cancel()
			if err == nil && strings.Contains(table, lan.String()) {
				t.Logf("%s has rules for %s", m.Name, lan)
				return nil
			}
		}
		return fmt.Errorf("none has for %s", lan)
	})
}

// killed kills the speaker of n1.
func killed(t *testing.T, c *kubelet.Cluster, wan netip.Addr) {
	t.Helper()
	control, far := c.Control(), c.FarClient().Probe(kubelet.URL(wan))
	before := c.Restarts("n1")
	check.Must(t, "kill the speaker", c.Node("n1").Signal("speaker", syscall.SIGKILL))
	took := c.AwaitRestart("n1", before)
	report, starved := far.Stop().Without(control.Stop())
	t.Logf("ready again after %.1f s: %s, and %d not answered in time when pods did not either", took.Seconds(), report, starved)
	if report.Failed() > 0 {
		t.Errorf("%d connections failed: %v", report.Failed(), report.FirstError())
	}
}

// uninstalled deletes the speakers alone, with their rights in place. The routers would keep the routes for 30 s, as in any restart.
func uninstalled(t *testing.T, c *kubelet.Cluster, lan, wan netip.Addr) {
	t.Helper()
	began := time.Now()
	c.Kubectl("--namespace", kubelet.Namespace, "delete", "daemonset/daymark-speaker")
	check.Eventually(t, 15*time.Second, "the router has no route any more", func() error {
		if hops, err := c.Router.NextHops(segment.Single(wan)); err != nil || len(hops) > 0 {
			return errors.Join(err, fmt.Errorf("it forwards %s to %v", wan, hops))
		}
		return nil
	})
	routes := time.Since(began)
	check.Eventually(t, 15*time.Second, "nobody answers any more", func() error {
		if holders := c.Client().Holders(lan); len(holders) > 0 {
			return fmt.Errorf("%v", holders)
		}
		return nil
	})
	t.Logf("routes withdrawn after %.1f s, nobody answers after %.1f s", routes.Seconds(), time.Since(began).Seconds())
}
