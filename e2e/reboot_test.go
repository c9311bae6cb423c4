package e2e_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: a node that is rebooted loses no new connection, whoever reboots it: its routes are gone before it stops to
// forward, though the router would keep those of a speaker that restarts, and has no BFD to notice.

func TestBGP_RebootLosesNoConnection(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	address := rebooted(t, cluster, "reboots", "198.19.22.0/24")
	for _, way := range []struct {
		name string
		// announce is what the cluster or the machine says before the speaker is told to end.
		announce func(t *testing.T, cluster *lab.Cluster, node lab.Node)
		// why is what the speaker then knows of it.
		why string
	}{
		{"kubectl drain and kured cordon it", func(t *testing.T, cluster *lab.Cluster, node lab.Node) {
			cluster.Kubectl("cordon", node.Name)
			t.Cleanup(func() { cluster.Kubectl("uncordon", node.Name) })
		}, "the node is cordoned"},
		{"the kubelet shuts it down gracefully", func(t *testing.T, cluster *lab.Cluster, node lab.Node) {
			setReady(t, cluster, node.Name, corev1.ConditionFalse, "node is shutting down")
			t.Cleanup(func() { setReady(t, cluster, node.Name, corev1.ConditionTrue, "the lab plays the kubelet") })
		}, "the kubelet shuts the node down"},
		{"the autoscaler deletes it", func(t *testing.T, cluster *lab.Cluster, node lab.Node) {
			const taint = "ToBeDeletedByClusterAutoscaler"
			cluster.Kubectl("taint", "node", node.Name, taint+"=1:NoSchedule")
			t.Cleanup(func() { cluster.Kubectl("taint", "node", node.Name, taint+"-") })
		}, "the node has the taint ToBeDeletedByClusterAutoscaler"},
		{"systemctl reboot, and nobody tells the kubelet", func(t *testing.T, cluster *lab.Cluster, node lab.Node) {
			inPod(t, cluster, node)
		}, "though its Pod is not deleted"},
	} {
		t.Run(way.name, func(t *testing.T) {
			cluster := daymark(t)
			node := cluster.Node("n2")
			probe, watch := cluster.FarClient().Probe(url(address)), cluster.Router().Watch(address.String())
			lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(time.Time{}) })
			way.announce(t, cluster, node)

			said, told := len(node.Speaker().Output()), time.Now()
			node.Speaker().Stop()
			took := time.Since(told)
			if text := node.Speaker().Output()[said:]; !strings.Contains(text, way.why) {
				t.Errorf("it does not know that %s: %s", way.why, text)
			}
			if hops := cluster.Router().NextHopNodes(address.String()); !slices.Equal(hops, []string{"n1", "n3"}) {
				t.Errorf("the speaker has ended, and the router forwards to %v", hops)
			}
			node.Crash()
			stopped := time.Now()
			lab.Eventually(t, waitTimeout, "the client is served for a while", func() error {
				return probe.ServedSince(stopped.Add(2 * time.Second))
			})
			changes, report := watch.Stop(), probe.Stop()
			t.Logf("the speaker took %s; %s; next hops: %v", ms(took), report, changes)
			mustHaveServedAllRouted(t, report, changes)

			node.Return()
			node.Speaker().Start()
			awaitNextHops(t, cluster, address.String(), cluster.NodeNames()...)
		})
	}
}

// A speaker whose Pod is deleted restarts, whatever else is done to it: the node goes on forwarding.
func TestBGP_RolledPodKeepsTheRoutes(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	address := rebooted(t, cluster, "rolled", "198.19.23.0/24")
	node := cluster.Node("n2")
	pod := inPod(t, cluster, node)
	probe, watch := cluster.FarClient().Probe(url(address)), cluster.Router().Watch(address.String())
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(time.Time{}) })
	cluster.Kubectl("-n", lab.Namespace, "delete", "pod", pod, "--wait=false", "--grace-period=60")
	node.Speaker().Stop()
	if kept, err := stale(cluster, address); err != nil || !slices.Equal(kept, []string{"n2"}) {
		t.Errorf("stale are the paths of %v, %v", kept, err)
	}
	node.Speaker().Start()
	awaitSessions(t, cluster)
	lab.Eventually(t, waitTimeout, "no path is stale", func() error {
		kept, err := stale(cluster, address)
		if err == nil && len(kept) > 0 {
			err = fmt.Errorf("stale are the paths of %v", kept)
		}
		return err
	})
	changes, report := watch.Stop(), probe.Stop()
	if len(changes) != 1 || report.Failed() > 0 {
		t.Errorf("%s; the next hops were %v, want all three all the while", report, changes)
	}
}

// rebooted makes a Service that every node announces to a router without BFD.
func rebooted(t *testing.T, cluster *lab.Cluster, name, addresses string) netip.Addr {
	t.Helper()
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
	cluster.Pod(name, "n1")
	cluster.Apply(peer(name))
	cluster.Apply(routedPool(name, addresses))
	cluster.Apply(service(name, name))
	address, _ := cluster.Service(name).AwaitAddress()
	awaitNextHops(t, cluster, address.String(), cluster.NodeNames()...)
	return address
}

// setReady sets the node's condition Ready, as its kubelet does.
func setReady(t *testing.T, cluster *lab.Cluster, name string, status corev1.ConditionStatus, message string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // The end of the test sets it, too.
	lab.Eventually(t, waitTimeout, "set the condition Ready", func() error {
		node := &corev1.Node{}
		if err := cluster.API().Get(ctx, client.ObjectKey{Name: name}, node); err != nil {
			return err
		}
		for i := range node.Status.Conditions {
			if c := &node.Status.Conditions[i]; c.Type == corev1.NodeReady {
				c.Status, c.Message, c.LastTransitionTime = status, message, metav1.Now()
			}
		}
		return cluster.API().Status().Update(ctx, node)
	})
}

// inPod tells the node's speaker that it runs in a Pod, until the test ends, and makes that Pod.
func inPod(t *testing.T, cluster *lab.Cluster, node lab.Node) (name string) {
	t.Helper()
	name = "daymark-speaker-" + node.Name
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: lab.Namespace, Name: name}}
	pod.Spec.NodeName, pod.Spec.Containers = node.Name, []corev1.Container{{Name: "speaker", Image: "speaker"}}
	if err := cluster.API().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	speaker := node.Speaker()
	usual := speaker.Argv
	t.Cleanup(func() {
		cluster.Kubectl("-n", lab.Namespace, "delete", "pod", name, "--force", "--ignore-not-found")
		speaker.Argv = usual
	})
	speaker.Argv = append(usual[:len(usual):len(usual)], "--pod-name", name)
	cluster.RollSpeakers()
	return name
}
