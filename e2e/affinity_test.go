package e2e_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: session affinity holds over BGP. Each node's kube-proxy keeps it for itself, so that the router must send a client to one node.

const oneBest = "where one node is best and the others are backup, for session affinity"

func TestAffinity_OneClientReachesOnePod(t *testing.T) {
	for _, policy := range []string{"Cluster", "Local"} {
		t.Run(policy, func(t *testing.T) {
			lab.Need(t, lab.KubeProxy) // the lab's own service proxy knows no session affinity
			cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
			all := cluster.NodeNames()
			pods := map[string]*lab.Pod{}
			for _, node := range all {
				pods[node] = cluster.PodWith("affine-"+node, node, map[string]string{"app": "affine"})
			}
			cluster.Apply(peer("affine"))
			cluster.Apply(routedPool("affine", "198.19.31.0/24"))
			apply := func(affinity string) {
				cluster.Apply(service("affine", "affine", "externalTrafficPolicy: "+policy, "sessionAffinity: "+affinity))
			}
			apply("None")
			address, _ := cluster.Service("affine").AwaitAddress()
			awaitNextHops(t, cluster, address.String(), all...)
			awaitThroughAll(t, cluster, address)
			if reached := podsReached(t, cluster.FarClient(), address); len(reached) < 2 {
				t.Fatalf("without session affinity the client reaches %v: the test proves nothing", reached)
			}

			apply("ClientIP")
			best := awaitOneNextHop(t, cluster, address, all)
			awaitCondition(t, cluster.Service("affine"), "daymark.io/Announced", "True Announced", oneBest)
			mustReachOne(t, cluster.FarClient(), address)

			cluster.Node(best).Crash()
			pods[best].SetReady(false) // as Kubernetes does later
			next := awaitOneNextHop(t, cluster, address, slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == best }))
			mustReachOne(t, cluster.FarClient(), address)
			t.Logf("%s was best, and then %s", best, next)

			cluster.Node(best).Return()
			pods[best].SetReady(true)
			awaitOneNextHop(t, cluster, address, []string{best})
			apply("None")
			awaitNextHops(t, cluster, address.String(), all...)
		})
	}
}

// awaitOneNextHop waits until the router's kernel forwards an address to one node alone, one of those allowed.
func awaitOneNextHop(t *testing.T, cluster *lab.Cluster, address netip.Addr, allowed []string) (node string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("the router forwards %s to one of %v alone", address, allowed), func() error {
		got := cluster.Router().NextHopNodes(address.String())
		if len(got) != 1 || !slices.Contains(allowed, got[0]) {
			return fmt.Errorf("it forwards to %v", got)
		}
		node = got[0]
		return nil
	})
	return node
}

// podsReached are those that answer 200 connections of a client, with how many each. One that fails fails the test.
func podsReached(t *testing.T, client lab.Client, address netip.Addr) map[string]int {
	t.Helper()
	client.MustGet(url(address))
	reached, failed := map[string]int{}, 0
	for i := range 200 {
		answer, err := client.Get(url(address))
		if err == nil {
			reached[answer.Pod]++
			continue
		}
		if failed++; failed == 1 {
			t.Errorf("connection %d of 200: %v", i+1, err)
		}
	}
	if failed > 0 {
		t.Errorf("%d of 200 connections failed", failed)
	}
	return reached
}

func mustReachOne(t *testing.T, client lab.Client, address netip.Addr) {
	t.Helper()
	if reached := podsReached(t, client, address); len(reached) != 1 {
		t.Errorf("200 connections of one client reached %v", slices.Sorted(maps.Keys(reached)))
	}
}

// The best node dies: with BFD its clients are at the next one as soon as those of a node among equals are at the others.
func TestAffinity_FailOverAfterACrashIsBounded(t *testing.T) {
	const times, within = 3, 5 * time.Second // The hold timer would take longer.
	lab.Need(t, lab.KubeProxy)
	for i, kind := range []lab.RouterKind{lab.FRR, lab.BIRD} {
		t.Run(string(kind), func(t *testing.T) {
			lab.Need(t, kind)
			cluster, name := daymark(t, lab.WithProxy(lab.KubeProxy)), fmt.Sprintf("constant-%d", i)
			all := cluster.NodeNames()
			address := underBFD(t, cluster, kind, bfdInterval, name, fmt.Sprintf("198.19.%d.0/24", 34+i))
			pods := map[string]*lab.Pod{}
			for _, node := range all {
				pods[node] = cluster.PodWith(name+"-"+node, node, map[string]string{"app": name})
			}
			cluster.Apply(service(name, name, "sessionAffinity: ClientIP"))
			var outages []string
			for range times {
				best := awaitOneNextHop(t, cluster, address, all)
				awaitBFDUp(t, cluster, best, name)
				probe := cluster.FarClient().Probe(url(address))
				lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(time.Time{}) })
				cluster.Node(best).Crash()
				pods[best].SetReady(false) // Nobody else tells the service proxies, and the client waits for no pod that is gone.
				next := awaitOneNextHop(t, cluster, address, slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == best }))
				moved := time.Now()
				lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(moved) })
				report := probe.Stop()
				outages = append(outages, ms(report.Outage()))
				if report.Outage() > within {
					t.Errorf("from %s to %s took %s, want less than %s: %s", best, next, ms(report.Outage()), within, report)
				}
				cluster.Node(best).Return()
				pods[best].SetReady(true)
				awaitOneNextHop(t, cluster, address, []string{best})
			}
			t.Logf("a client of the best node was not served for %s", strings.Join(outages, ", "))
		})
	}
}
