package e2e_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise 6: the node that holds the address drops off the network, and another takes over.

func TestAnotherNodeTakesOverWhenTheHolderCrashes(t *testing.T) {
	cluster := daymark(t)
	address, pod := heldAddress(t, cluster, "crash")
	holder := awaitHolder(t, cluster, address)
	moveAway(t, cluster, pod, holder, address)
	probe := cluster.Client().Probe(url(address))
	lab.Eventually(t, soon, "the client is served", func() error { return probe.ServedSince(time.Time{}) })

	crashed := time.Now()
	cluster.Node(holder).Crash()
	lab.Eventually(t, 30*time.Second, "the client is served again", func() error {
		return probe.ServedSince(crashed.Add(50 * time.Millisecond))
	})
	heir := awaitHolder(t, cluster, address)
	report := probe.Stop()
	t.Logf("%s held it, %s took over: %s", holder, heir, report)
	if heir == holder {
		t.Errorf("%s is unplugged and still answers", heir)
	}
	if report.Outage() > 10*time.Second {
		t.Errorf("the outage lasted %s", report.Outage())
	}
}

func TestTheHolderThatReturnsLeavesOneHolder(t *testing.T) {
	cluster := daymark(t)
	address, _ := heldAddress(t, cluster, "returns")
	holder := awaitHolder(t, cluster, address)
	cluster.Node(holder).Crash()
	lab.Eventually(t, 30*time.Second, "another node holds it", func() error {
		if now := cluster.Client().Holder(address); now == "" || now == holder {
			return fmt.Errorf("%q does", now)
		}
		return nil
	})
	cluster.Node(holder).Return()
	lab.Eventually(t, 30*time.Second, "there is one holder", func() error {
		if all := cluster.Client().WhoHas(address); len(all) != 1 {
			return fmt.Errorf("ARP for %s is answered by %v", address, all)
		}
		return nil
	})
}

func TestAnotherNodeTakesOverWhenTheSpeakerIsKilled(t *testing.T) {
	cluster := daymark(t)
	address, _ := heldAddress(t, cluster, "killed")
	holder := awaitHolder(t, cluster, address)
	speaker := cluster.Node(holder).Speaker()
	t.Cleanup(func() { speaker.Start() })
	speaker.Kill()
	lab.Eventually(t, 30*time.Second, "another node holds it", func() error {
		if now := cluster.Client().Holder(address); now == "" || now == holder {
			return fmt.Errorf("%q does", now)
		}
		return nil
	})
}

// heldAddress makes a Service with one pod and an address that a node holds.
func heldAddress(t testing.TB, cluster *lab.Cluster, name string) (netip.Addr, *lab.Pod) {
	t.Helper()
	cluster.Apply(segmentPool(name, "192.0.2.230-192.0.2.239"))
	pod := cluster.Pod(name, "n1")
	cluster.Apply(service(name, name))
	address, _ := cluster.Service(name).AwaitAddress()
	awaitHolder(t, cluster, address)
	return address, pod
}

// moveAway leaves the pod on a node that stays, so that what fails and comes back is the address alone.
func moveAway(t testing.TB, cluster *lab.Cluster, pod *lab.Pod, from string, address netip.Addr) {
	t.Helper()
	if pod.Node() == from {
		stays := slices.DeleteFunc(cluster.NodeNames(), func(name string) bool { return name == from })
		pod.MoveTo(stays[0])
	}
	lab.Eventually(t, soon, "the pod serves", func() error {
		answer, err := cluster.Client().Get(url(address))
		if err == nil && answer.Node != pod.Node() {
			err = fmt.Errorf("answered %q", answer)
		}
		return err
	})
}
