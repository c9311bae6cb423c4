package e2e_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: a roll-out of all speakers costs the clients of shared addresses nothing: whoever opens a connection meanwhile, and asks for
// the address before, is served, and connections that are open go on.
func TestShared_RollingUpdateLosesNoConnection(t *testing.T) {
	lab.Need(t, lab.KubeProxy)
	cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
	cluster.UseSpeakerFlags("--l2-rebalance-after=2s")
	awaitMembers(t, cluster)
	var addresses []netip.Addr
	var pages []string
	cluster.Apply(sharedPool("rolled"))
	for i := range 3 { // So that each node is likely to answer the client for one of them.
		name := fmt.Sprintf("rolled%d", i)
		cluster.Pod(name, "n1")
		cluster.Apply(service(name, "rolled", "ipFamilyPolicy: RequireDualStack"))
		v4, v6 := dualAddresses(t, cluster.Service(name))
		addresses = append(addresses, v4, v6)
	}
	awaitEvenShares(t, cluster, addresses, cluster.NodeNames()...)
	answering := map[string]bool{}
	for _, address := range addresses {
		cluster.Client().MustGet(url(address))
		pages = append(pages, url(address))
		answering[cluster.Client().Resolved(address)] = true
	}
	open := cluster.Client().OpenConnections(openConnections, addresses...)
	probe := cluster.Client().Probe(pages...)
	probe.Forget()
	began := time.Now()
	cluster.RollSpeakers()
	rolled := time.Now()
	awaitEvenShares(t, cluster, addresses, cluster.NodeNames()...)
	lab.Eventually(t, waitTimeout, "all connections are answered", func() error { return open.AnsweredSince(rolled) })
	report, broken := probe.Stop(), open.Stop()
	t.Logf("%s for three speakers, evenly shared after %s; before it %d of them answered; %s; %d of %d open connections broke",
		ms(rolled.Sub(began)), ms(time.Since(rolled)), len(answering), report, len(broken), openConnections)
	if report.Failed() > 0 || len(broken) > 0 {
		t.Errorf("%d connections could not be opened, and %d broke: %v", report.Failed(), len(broken), broken)
	}
}

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
