package e2e_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// movedWithin is how soon a client that sends from one port is served by a pod that moved, once that is ready.
const movedWithin = 2 * time.Second

// Promise: a client that sends datagrams from one port without a pause is served when the pod moves. Nodes remember its flow, and would
// send it to the pod that is gone for as long as it goes on.
func TestDatagrams_FromOnePortFollowThePod(t *testing.T) {
	for _, policy := range []string{"Cluster", "Local"} {
		t.Run(policy, func(t *testing.T) {
			lab.Need(t, lab.KubeProxy)
			cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
			cluster.Apply(peer("sent") + "\n---" + sentBothWays)
			cluster.Apply(segmentPool("sent", "192.0.2.230-192.0.2.234"))
			pod := cluster.Pod("sent", "n1")
			cluster.Apply(datagramService("sent", "externalTrafficPolicy: "+policy))
			address, _ := cluster.Service("sent").AwaitAddress()
			awaitHolder(t, cluster, address)
			to := netip.AddrPortFrom(address, 80)
			senders := map[string]sender{"near": cluster.Client().Send(to), "far": cluster.FarClient().Send(to)}
			awaitServed(t, senders, "n1", time.Now())
			// Back to nodes that have seen the flow before, too.
			for _, node := range []string{"n2", "n1", "n3", "n2"} {
				pod.MoveTo(node)
				moved := time.Now()
				for name, at := range awaitServed(t, senders, node, moved) {
					t.Logf("%s client: served from %s %s after the pod was ready there", name, node, ms(at.Sub(moved)))
					if at.Sub(moved) > movedWithin {
						t.Errorf("%s client: served from %s only after %s", name, node, ms(at.Sub(moved)))
					}
				}
			}
		})
	}
}

const sentBothWays = `
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: sent}
spec: {ipAddressPools: [sent]}
`

// datagramService is service with a UDP port.
func datagramService(name string, more ...string) string {
	return strings.Replace(service(name, name, more...), "targetPort: 8080", "targetPort: 8080, protocol: UDP", 1)
}

// sender is a client that sends datagrams.
type sender interface {
	FirstFrom(node string, after time.Time) (time.Time, error)
}

// awaitServed waits until each sender has an answer from a node, and says when the first came after a moment.
func awaitServed(t *testing.T, senders map[string]sender, node string, after time.Time) map[string]time.Time {
	t.Helper()
	first := map[string]time.Time{}
	for name, s := range senders {
		lab.Eventually(t, waitTimeout, "datagrams of the "+name+" client are answered from "+node, func() (err error) {
			first[name], err = s.FirstFrom(node, after)
			return err
		})
	}
	return first
}
