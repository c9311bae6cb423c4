package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: addresses work whichever mode kube-proxy runs in. The other tests have nftables.
func TestServiceProxy_AddressIsServedInTheModesOfKubeProxy(t *testing.T) {
	for kind, says := range map[lab.ProxyKind]string{lab.IPTablesProxy: "Using iptables Proxier", lab.IPVSProxy: "Using ipvs Proxier"} {
		t.Run(string(kind), func(t *testing.T) {
			lab.NeedKernel(t, kind)
			lab.Need(t, kind)
			cluster := daymark(t, lab.WithProxy(kind))
			cluster.Apply(peer("modes") + "\n---" + `
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: modes}
spec: {ipAddressPools: [modes]}
`)
			cluster.Apply(segmentPool("modes", "192.0.2.235-192.0.2.239"))
			pod := cluster.Pod("modes", "n2")
			for _, policy := range []string{"Cluster", "Local"} {
				announcing := cluster.NodeNames()
				if policy == "Local" {
					announcing = []string{"n2"}
				}
				cluster.Apply(service("modes", "modes", "externalTrafficPolicy: "+policy))
				address, _ := cluster.Service("modes").AwaitAddress()
				awaitHolder(t, cluster, address, announcing...)
				awaitNextHops(t, cluster, address.String(), announcing...)
				for _, client := range []lab.Client{cluster.Client(), cluster.FarClient()} {
					lab.Eventually(t, waitTimeout, client.Name+" is served under the policy "+policy, func() error {
						answer, err := client.Get(url(address))
						if err == nil && (answer.Pod != pod.Name || policy == "Local" && answer.Client != client.V4) {
							err = fmt.Errorf("it is answered %q", answer)
						}
						return err
					})
				}
			}
			for _, node := range cluster.NodeNames() {
				awaitProxyCondition(t, cluster, node, "False Works")
				if !strings.Contains(cluster.Node(node).Proxy().Output(), says) {
					t.Errorf("kube-proxy on %s runs in another mode", node)
				}
			}
		})
	}
}
