package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: of nodes that hold as many addresses, one that is near the endpoints takes an address, and the holder moves before its last
// endpoint ends.

func TestLayer2_TheNodeWithMostEndpointsHolds(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	cluster.Apply(segmentPool("most", "192.0.2.220-192.0.2.224"))
	labels := map[string]string{"app": "most"}
	for node, count := range []int{1, 2, 5} {
		for i := range count {
			cluster.PodWith(fmt.Sprintf("most-%d-%d", node+1, i), cluster.NodeNames()[node], labels)
		}
	}
	cluster.Apply(service("most", "most", "externalTrafficPolicy: Local"))
	address, _ := cluster.Service("most").AwaitAddress()
	awaitHolder(t, cluster, address, "n3")
}

func TestLayer2_TheNodeNearEndpointsHolds(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	for node, zone := range map[string]string{"n1": "a", "n2": "a", "n3": "b"} {
		cluster.Node(node).Label("topology.kubernetes.io/zone=" + zone)
		t.Cleanup(func() { cluster.Node(node).Label("topology.kubernetes.io/zone-") })
	}
	cluster.Apply(segmentPool("close", "192.0.2.220-192.0.2.224"))
	held := func(name, pod, distribution string) {
		t.Helper()
		cluster.Pod(name, pod)
		cluster.Apply(service(name, "close", "trafficDistribution: "+distribution))
		address, _ := cluster.Service(name).AwaitAddress()
		awaitHolder(t, cluster, address, pod)
	}
	held("close-b", "n3", "PreferClose")
	held("close-a", "n2", "PreferSameNode")
	awaitCondition(t, cluster.Service("close-a"), "daymark.io/Announced", "True Announced", "from one with an endpoint or else in a zone")
}

// The endpoint is terminating and serves for a while, and meanwhile both the clients of the segment and those behind the router go elsewhere.
func TestLocal_LastEndpointEndsAndNoConnectionIsLost(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	cluster.Apply(peer("last") + "\n---" + `
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: last}
spec: {ipAddressPools: [last]}
`)
	cluster.Apply(segmentPool("last", "192.0.2.220-192.0.2.224"))
	pods, labels := map[string]*lab.Pod{}, map[string]string{"app": "last"}
	for _, node := range []string{"n1", "n2"} {
		pods[node] = cluster.PodWith("last-"+node, node, labels)
	}
	cluster.Apply(service("last", "last", "externalTrafficPolicy: Local"))
	address, _ := cluster.Service("last").AwaitAddress()
	holder := awaitHolder(t, cluster, address, "n1", "n2")
	awaitTraffic(t, cluster, address, "n1", "n2")
	heir := map[string]string{"n1": "n2", "n2": "n1"}[holder]

	near, far, watch := cluster.Client().Probe(url(address)), cluster.FarClient().Probe(url(address)), cluster.Client().Watch(address)
	near.Forget()
	routes := cluster.Router().Watch(address.String())
	began := time.Now()
	pods[holder].Terminate()
	awaitHolder(t, cluster, address, heir)
	awaitNextHops(t, cluster, address.String(), heir)
	moved := time.Now()
	pods[holder].Delete()
	settled := awaitOneHolder(t, watch, moved)
	report, farReport, observations := near.Stop(), far.Stop(), watch.Stop()
	t.Logf("%s moved in %s: %s; from afar %s; nobody answered for %s; settled after %s",
		address, ms(moved.Sub(began)), report, farReport, ms(observations.Unheld(began)), ms(settled))
	mustHaveServedAll(t, report, observations)
	mustHaveNoGap(t, observations, began)
	mustHaveServedAllRouted(t, farReport, routes.Stop())
}
