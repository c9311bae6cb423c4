package e2e_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise 4: externalTrafficPolicy Local is announced, both ways, only from nodes with a ready local endpoint; it follows
// its pod and keeps the client's source address.

const bothWays = `
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: near}
spec: {ipAddressPools: [near]}
`

func TestLocal_AnnouncementFollowsThePod(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(peer("near") + "\n---" + bothWays)
	cluster.Apply(segmentPool("near", "192.0.2.220-192.0.2.224"))
	pod := cluster.Pod("near", "n2")
	cluster.Apply(service("near", "near", "externalTrafficPolicy: Local"))
	address, _ := cluster.Service("near").AwaitAddress()

	for _, node := range []string{"n2", "n3", "n1"} {
		if pod.Node() != node {
			pod.MoveTo(node)
		}
		awaitHolder(t, cluster, address, node)
		awaitNextHops(t, cluster, address.String(), node)
		for _, client := range []lab.Client{cluster.Client(), cluster.FarClient()} {
			answer := client.MustGet(url(address))
			if answer.Node != node || answer.Client != client.V4 {
				t.Errorf("%s was answered %q, want from %s, by its own address %s", client.Name, answer, node, client.V4)
			}
		}
	}
}

func TestLocal_UnreadyEndpointIsNotAnnounced(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(peer("near") + "\n---" + bothWays)
	cluster.Apply(segmentPool("near", "192.0.2.220-192.0.2.224"))
	labels := map[string]string{"app": "ready"}
	one, two := cluster.PodWith("ready-1", "n1", labels), cluster.PodWith("ready-2", "n2", labels)
	cluster.Apply(service("ready", "near", "externalTrafficPolicy: Local"))
	address, _ := cluster.Service("ready").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2")
	awaitHolder(t, cluster, address, "n1", "n2")

	one.SetReady(false)
	awaitNextHops(t, cluster, address.String(), "n2")
	awaitHolder(t, cluster, address, "n2")

	two.SetReady(false)
	awaitNextHops(t, cluster, address.String())
	awaitNoHolder(t, cluster, address)
	awaitCondition(t, cluster.Service("ready"), "daymark.io/Announced", "False")

	one.SetReady(true)
	awaitNextHops(t, cluster, address.String(), "n1")
	awaitHolder(t, cluster, address, "n1")
}

// Kubernetes' own test of this cannot fail: it compares answers that hold the time of day.
func TestLocal_TrafficArrivesAtAllNodesWithEndpointsAndOnlyThere(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(peer("all") + "\n---" + `
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all}
spec: {ipAddressPools: [all]}
`)
	cluster.Apply(routedPool("all", "198.19.44.0/28"))
	labels := map[string]string{"app": "all"}
	cluster.PodWith("all-1", "n1", labels)
	cluster.Apply(service("all", "all", "externalTrafficPolicy: Local"))
	address, _ := cluster.Service("all").AwaitAddress()
	awaitTraffic(t, cluster, address, "n1")

	two := cluster.PodWith("all-2", "n2", labels)
	awaitTraffic(t, cluster, address, "n1", "n2")
	three := cluster.PodWith("all-3", "n3", labels)
	awaitTraffic(t, cluster, address, "n1", "n2", "n3")
	two.MoveTo("n3") // beside another, so that a node goes and none comes
	awaitTraffic(t, cluster, address, "n1", "n3")
	three.SetReady(false) // the other pod there stays
	awaitTraffic(t, cluster, address, "n1", "n3")
	two.MoveTo("n2")
	awaitTraffic(t, cluster, address, "n1", "n2")
}

// awaitTraffic waits until the router's next hops are these nodes, and then wants connections from behind it, each from a port of its own,
// to arrive at all of them and nowhere else.
func awaitTraffic(t *testing.T, cluster *lab.Cluster, address netip.Addr, nodes ...string) {
	t.Helper()
	awaitNextHops(t, cluster, address.String(), nodes...)
	client := cluster.FarClient()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("kube-proxy on all of %v serves it", nodes), func() error {
		_, err := arrivals(client, address)
		return err
	})
	arrived, err := arrivals(client, address)
	t.Logf("wanted at %v, arrived at %v", nodes, arrived)
	if err != nil || !slices.Equal(slices.Sorted(maps.Keys(arrived)), nodes) {
		t.Errorf("connections arrived at %v, %v; endpoints are on %v", arrived, err, nodes)
	}
}

// arrivals opens many connections and counts on which nodes they were answered. Each must be, and with the client's own address.
func arrivals(client lab.Client, address netip.Addr) (map[string]int, error) {
	const connections = 100 // with three next hops one of them gets none by chance once in 10^17
	arrived := map[string]int{}
	for range connections {
		answer, err := client.Get(url(address))
		if err == nil && answer.Client != client.V4 {
			err = fmt.Errorf("%s saw the client as %s", answer.Node, answer.Client)
		}
		if err != nil {
			return arrived, err
		}
		arrived[answer.Node]++
	}
	return arrived, nil
}
