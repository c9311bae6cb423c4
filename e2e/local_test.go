package e2e_test

import (
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
