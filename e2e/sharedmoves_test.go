package e2e_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: under externalTrafficPolicy Local the nodes with ready endpoints share an address, and no others.
func TestShared_UnderLocalTheNodesWithEndpointsShare(t *testing.T) {
	cluster := daymark(t)
	cluster.UseSpeakerFlags("--l2-rebalance-after=2s")
	awaitMembers(t, cluster)
	cluster.Apply(sharedPool("near"))
	first, app := cluster.Pod("near", "n1"), map[string]string{"app": "near"}
	cluster.PodWith("near2", "n2", app)
	cluster.Apply(service("near", "near", "ipFamilyPolicy: RequireDualStack", "externalTrafficPolicy: Local"))
	v4, v6 := dualAddresses(t, cluster.Service("near"))
	addresses := []netip.Addr{v4, v6}
	awaitEvenShares(t, cluster, addresses, "n1", "n2")
	wantNoShares(t, cluster, addresses, "n3")
	crowd := cluster.Crowd()
	before := askAll(t, crowd, addresses)
	wantDivision(t, before, "n1", "n2")

	cluster.PodWith("near3", "n3", app)
	awaitEvenShares(t, cluster, addresses, "n1", "n2", "n3")
	joined := awaitDivision(t, crowd, addresses, "n1", "n2", "n3")
	wantOnlyTo(t, before, joined, "n3")

	first.Delete()
	awaitEvenShares(t, cluster, addresses, "n2", "n3")
	wantNoShares(t, cluster, addresses, "n1")
	wantOnlyFrom(t, joined, awaitDivision(t, crowd, addresses, "n2", "n3"), "n1")
}

// wantNoShares waits until a node answers none of the clients.
func wantNoShares(t testing.TB, cluster *lab.Cluster, addresses []netip.Addr, node string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, node+" answers no client", func() error {
		for _, address := range addresses {
			if got := sharesOf(cluster, node, address); got != 0 {
				return fmt.Errorf("%s has %d shares of %s", node, got, address)
			}
		}
		return nil
	})
}
