package e2e_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: while the network is partitioned each part has a holder, and within a second after it has healed there is one.

func TestLayer2_OneHolderOnceAPartitionHeals(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	addresses := manyServices(t, cluster, 3, "192.0.2.210-192.0.2.219")
	awaitHolders(t, cluster, "each address has one holder", addresses, nil)
	part(t, cluster, "n1", addresses)

	watch := cluster.Client().Watch(addresses...)
	healed := time.Now()
	cluster.Heal()
	settled := awaitOneHolder(t, watch, healed)
	observations := watch.Stop()
	t.Logf("one holder of each after %s; two answered for %s, nobody for %s", ms(settled),
		ms(observations.Shared(healed)), ms(observations.Unheld(healed)))
	mustBeUnder(t, "settling on one holder", settled)
	awaitMembers(t, cluster)
	awaitHolders(t, cluster, "each address has one holder", addresses, nil)
}

// part cuts a node off and waits until it holds all addresses on its island, and the other nodes do on the segment.
func part(t testing.TB, cluster *lab.Cluster, alone string, addresses []netip.Addr) {
	t.Helper()
	cluster.Partition(alone)
	awaitHolders(t, cluster, "the others hold all", addresses, func(holders map[netip.Addr]string) error {
		if counts(holders)[alone] > 0 {
			return fmt.Errorf("it is %v", holders)
		}
		return nil
	})
	lab.Eventually(t, waitTimeout, alone+" holds all on its island", func() error {
		held, err := cluster.Node(alone).Speaker().Metric(speakerMetrics, "daymark_layer2_addresses_held")
		if err == nil && int(held) < len(addresses) {
			err = fmt.Errorf("it holds %v", held)
		}
		return err
	})
}

// speakerMetrics is the port of a speaker's metrics.
const speakerMetrics = 7472

// awaitOneHolder waits until each address has had one and the same holder for a second, and tells how long after the
// moment that began.
func awaitOneHolder(t testing.TB, watch *lab.Watcher, moment time.Time) (after time.Duration) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, "every address has one holder for good", func() (err error) {
		after, err = watch.Seen().Settled(moment, time.Second)
		return err
	})
	return after
}
