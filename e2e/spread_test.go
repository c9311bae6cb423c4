package e2e_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: the nodes hold as many addresses each, and what is uneven is evened out later, without a lost connection.

func TestLayer2_AddressesAreSpreadEvenly(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	addresses := manyServices(t, cluster, 9, "192.0.2.200-192.0.2.208")
	awaitHolders(t, cluster, "each node holds three", addresses, even(cluster, 3))
}

func TestLayer2_RebalancingLosesNoConnection(t *testing.T) {
	cluster := daymark(t)
	cluster.UseSpeakerFlags("--l2-rebalance-after=2s")
	awaitMembers(t, cluster)
	speaker := cluster.Node("n3").Speaker()
	speaker.Stop()
	addresses := manyServices(t, cluster, 6, "192.0.2.220-192.0.2.225")
	awaitHolders(t, cluster, "n1 and n2 hold three each", addresses, func(holders map[netip.Addr]string) error {
		if held := counts(holders); held["n1"] != 3 || held["n2"] != 3 {
			return fmt.Errorf("they hold %v", held)
		}
		return nil
	})
	var urls []string
	for _, address := range addresses {
		cluster.Client().MustGet(url(address))
		urls = append(urls, url(address))
	}
	probe, watch := cluster.Client().Probe(urls...), cluster.Client().Watch(addresses...)
	probe.Forget()
	back := time.Now()
	speaker.Start()
	awaitHolders(t, cluster, "each node holds two", addresses, even(cluster, 2))
	took := time.Since(back)
	report, observations := probe.Stop(), watch.Stop()
	t.Logf("even %s after n3 was started; %s; nobody answered for %s, two for %s", ms(took), report,
		ms(observations.Unheld(back)), ms(observations.Shared(back)))
	mustHaveServedAll(t, report, observations)
	mustHaveNoGap(t, observations, back)
	for _, address := range addresses {
		story := observations.Holders(address, back)
		if slices.Index(story, "n1") >= 0 && slices.Index(story, "n2") >= 0 {
			t.Errorf("%s went %v: only what goes to n3 needs to move", address, story)
		}
	}
}

// even wants so many addresses on each node.
func even(cluster *lab.Cluster, each int) func(map[netip.Addr]string) error {
	return func(holders map[netip.Addr]string) error {
		held := counts(holders)
		for _, node := range cluster.NodeNames() {
			if held[node] != each {
				return fmt.Errorf("they hold %v", held)
			}
		}
		return nil
	}
}
