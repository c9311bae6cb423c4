package e2e_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

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
			if reached := podsReached(cluster.FarClient(), address); len(reached) < 2 {
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

// podsReached are those that answer 200 connections of a client, with how many each.
func podsReached(client lab.Client, address netip.Addr) map[string]int {
	client.MustGet(url(address))
	reached := map[string]int{}
	for range 200 {
		answer, err := client.Get(url(address))
		if err != nil {
			reached[err.Error()]++
			continue
		}
		reached[answer.Pod]++
	}
	return reached
}

func mustReachOne(t *testing.T, client lab.Client, address netip.Addr) {
	t.Helper()
	if reached := podsReached(client, address); len(reached) != 1 {
		t.Errorf("200 connections of one client reached %v", slices.Sorted(maps.Keys(reached)))
	}
}
