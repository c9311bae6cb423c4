package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: a node that is rebooted loses no new connection, whoever reboots it: its routes are gone before it stops to
// forward, though the router would keep those of a speaker that restarts, and whether it has BFD to notice or not.

// reboot is a way in which nodes are rebooted.
type reboot struct {
	name string
	// announce is what the cluster or the machine says before all programs of the node are told to end.
	announce func(t *testing.T, cluster *lab.Cluster, node lab.Node)
	// why is what the speaker then knows of it.
	why string
}

var reboots = []reboot{
	{"kubectl drain and kured cordon it", func(t *testing.T, cluster *lab.Cluster, node lab.Node) {
		t.Cleanup(func() { cluster.Kubectl("uncordon", node.Name) })
		cluster.Kubectl("drain", node.Name, "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--pod-selector=app!=speaker")
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
	{"systemctl reboot, and nobody tells the kubelet", func(*testing.T, *lab.Cluster, lab.Node) {}, "though its Pod is not deleted"},
	{"systemctl reboot, and systemd can be asked", func(t *testing.T, _ *lab.Cluster, _ lab.Node) {
		// Nobody outside of the lab sees this folder.
		if err := os.MkdirAll(systemd, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(systemd) })
	}, "systemd stops the machine"},
}

// birdGap is how many connections may fail while BIRD has no route in the kernel: it takes the old one out before it puts a changed one
// in. One begins every 10 ms.
const birdGap = 5

// systemd is a folder that is there where systemd runs.
const systemd = "/run/systemd/system"

func TestBGP_RebootLosesNoConnection(t *testing.T) {
	lab.Need(t, lab.FRR)
	lab.Need(t, lab.BIRD)
	lab.Need(t, lab.KubeProxy)
	inPod(t, daymark(t), daymark(t).Node("n2"))
	told, untold := reboots[:1], reboots[3:4]
	for i, network := range []struct {
		name   string
		router lab.RouterKind
		bfd    time.Duration
		// ways: which one it is decides only how the speaker knows, so not all are tried with each router.
		ways []reboot
	}{
		{"FRR", lab.FRR, 0, reboots},
		{"FRR with BFD", lab.FRR, bfdInterval, slices.Concat(told, untold)},
		{"BIRD", lab.BIRD, 0, slices.Concat(told, untold)},
		{"BIRD with BFD", lab.BIRD, bfdInterval, reboots},
	} {
		t.Run(network.name, func(t *testing.T) {
			cluster, peer := daymark(t), fmt.Sprintf("reboots-%d", i)
			address := rebooted(t, cluster, network.router, network.bfd, peer, fmt.Sprintf("198.19.%d.0/24", 220+i))
			for _, way := range network.ways {
				t.Run(way.name, func(t *testing.T) {
					cluster := daymark(t)
					awaitNextHops(t, cluster, address.String(), cluster.NodeNames()...)
					if network.bfd > 0 {
						awaitBFDUp(t, cluster, "n2", peer)
					}
					way.loses(t, cluster, cluster.Node("n2"), address)
				})
			}
		})
	}
}

// loses reboots a node in this way, and fails the test if a connection is lost.
func (r reboot) loses(t *testing.T, cluster *lab.Cluster, node lab.Node, address netip.Addr) {
	t.Helper()
	probe, watch := cluster.FarClient().Probe(url(address)), cluster.Router().Watch(address.String())
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(time.Time{}) })
	r.announce(t, cluster, node)

	said, told := len(node.Speaker().Output()), time.Now()
	proxy := make(chan error, 1)
	go func() { proxy <- node.Node.Proxy.Stop() }() // What it has told the kernel stays. It is awaited before the test ends.
	t.Cleanup(func() { ensure(node.Proxy()) })
	node.Speaker().Stop()
	took := time.Since(told)
	if text := node.Speaker().Output()[said:]; !strings.Contains(text, r.why) {
		t.Errorf("it does not know that %s: %s", r.why, text)
	}
	if hops := cluster.Router().NextHopNodes(address.String()); slices.Contains(hops, node.Name) {
		t.Errorf("the speaker has ended, and the router forwards to %v", hops)
	}
	node.Crash()
	stopped := time.Now()
	lab.Eventually(t, waitTimeout, "the client is served for a while", func() error {
		return probe.ServedSince(stopped.Add(time.Second))
	})
	changes, report := watch.Stop(), probe.Stop()
	t.Logf("the speaker took %s; %s; next hops: %v", ms(took), report, changes)
	if cluster.Router().Kind != lab.BIRD {
		mustHaveServedAllRouted(t, report, changes)
	} else if failed := report.Failed(); failed > birdGap {
		t.Errorf("%d connections failed; the first says: %v", failed, report.FirstError())
	}

	if err := <-proxy; err != nil {
		t.Error(err)
	}
	node.Return()
	ensure(node.Proxy())
	node.Speaker().Start()
}

// A speaker whose Pod is deleted restarts, whatever else is done to it: the node goes on forwarding.
func TestBGP_RolledPodKeepsTheRoutes(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	node := cluster.Node("n2")
	pod := inPod(t, cluster, node)
	address := rebooted(t, cluster, lab.FRR, 0, "rolled", "198.19.23.0/24")
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

// rebooted makes a Service that every node announces to a router, with BFD unless its interval is 0.
func rebooted(t *testing.T, cluster *lab.Cluster, router lab.RouterKind, bfd time.Duration, name, addresses string) netip.Addr {
	t.Helper()
	if bfd > 0 {
		return underBFD(t, cluster, router, bfd, name, addresses)
	}
	cluster.Router().Configure(router, lab.RouterSettings{})
	return routed(t, cluster, name, peer(name), addresses)
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

// inPod tells the node's speaker that it runs in a Pod, until the test ends, and makes that Pod. Where systemd runs, as it sees it, the
// machine is being stopped.
func inPod(t *testing.T, cluster *lab.Cluster, node lab.Node) (name string) {
	t.Helper()
	name = "daymark-speaker-" + node.Name
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: lab.Namespace, Name: name, Labels: map[string]string{"app": "speaker"}}}
	pod.Spec.NodeName, pod.Spec.Containers = node.Name, []corev1.Container{{Name: "speaker", Image: "speaker"}}
	if err := cluster.API().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	if err := os.WriteFile(filepath.Join(programs, "systemctl"), []byte("#!/bin/sh\necho stopping\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	speaker := node.Speaker()
	arguments, environment := speaker.Argv, speaker.Env
	t.Cleanup(func() {
		cluster.Kubectl("-n", lab.Namespace, "delete", "pod", name, "--force", "--ignore-not-found")
		speaker.Argv, speaker.Env = arguments, environment
		speaker.Stop()
		speaker.Start()
	})
	speaker.Argv = append(slices.Clip(arguments), "--pod-name", name)
	speaker.Env = append(slices.Clip(environment), "PATH="+programs+":"+os.Getenv("PATH"))
	speaker.Stop()
	speaker.Start()
	return name
}

// A router that is away holds up no roll-out: each speaker would wait 30 s for it, which is more than the lab waits for one.
func TestBGP_RollOutWaitsForNoRouterThatIsAway(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	rebooted(t, cluster, lab.FRR, 0, "away", "198.19.224.0/24")
	t.Cleanup(cluster.Router().Start)
	cluster.Router().Stop()
	for _, node := range cluster.NodeNames() {
		lab.Eventually(t, waitTimeout, node+" has no session", func() error {
			session, err := sessionOf(cluster, node, "away")
			if err == nil && session.State == v1beta1.BGPEstablished {
				err = errors.New("it has one")
			}
			return err
		})
	}
	began := time.Now()
	cluster.RollSpeakers()
	t.Logf("three speakers were rolled in %s", time.Since(began).Round(100*time.Millisecond))
}
