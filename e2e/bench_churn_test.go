package e2e_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/load"
)

// BenchmarkTakeOverInALargeCluster measures for how long nobody answers ARP for an address after its holder has crashed, in a cluster
// of 10,000 Services with routes: while nothing else happens (quiet), and while the endpoints of ten of them change each second
// (churning).
func BenchmarkTakeOverInALargeCluster(b *testing.B) {
	const count, times = 10000, 9
	for b.Loop() {
		cluster := plainLab(b)
		cluster.Apply(peer("router") + "\n---" + routedPool("many", "198.19.0.0/17"))
		for _, node := range cluster.Nodes() {
			node.Proxy().Stop()
		}
		load.CreateEndpoints(b, cluster, "many", count)
		load.CreateServices(b, cluster, "many", "many", count)
		load.AwaitAddresses(b, cluster, "many", "many", count)
		load.AwaitRoutes(b, cluster, count)
		address, _ := heldAddress(b, cluster, "near")
		for _, name := range []string{"-quiet", "-churning"} {
			busy := map[string]float64{"-quiet": 0.1, "-churning": 0.8}[name]
			ctx, stop := context.WithCancel(b.Context())
			var unheld []time.Duration
			for i := range times {
				awaitRest(b, cluster, busy)
				if i == 0 && name == "-churning" {
					go load.ChangeEndpoints(ctx, cluster, "many", count, 10)
				}
				unheld = append(unheld, crashHolder(b, cluster, address))
			}
			stop()
			reportTimes(b, name, unheld)
		}
	}
}

// crashHolder has the holder of an address crash and come back, and returns for how long nobody answered.
func crashHolder(b *testing.B, cluster *lab.Cluster, address netip.Addr) time.Duration {
	b.Helper()
	holder := awaitHolder(b, cluster, address)
	watch := cluster.Client().Watch(address)
	defer watch.Stop()
	began := time.Now()
	cluster.Node(holder).Crash()
	others := slices.DeleteFunc(cluster.NodeNames(), func(node string) bool { return node == holder })
	awaitHolder(b, cluster, address, others...)
	unheld := watch.Seen().Unheld(began)
	heir := awaitHolder(b, cluster, address, others...)
	b.Logf("unheld %d ms; log of the heir:%s", unheld.Milliseconds(), logSince(cluster.Node(heir).Speaker(), began))
	cluster.Node(holder).Return()
	awaitMembers(b, cluster)
	return unheld
}

// awaitRest waits until the controller and the speakers have written and sent what follows from the last crash: together they take less than
// a share of a processor for two seconds.
func awaitRest(b *testing.B, cluster *lab.Cluster, busy float64) {
	b.Helper()
	const look = 2 * time.Second
	used := func() (sum time.Duration) {
		for _, node := range cluster.Nodes() {
			sum += must(node.Speaker().CPU())(b)
		}
		return sum + must(cluster.Controller().CPU())(b)
	}
	for limit, before := time.Now().Add(3*time.Minute), used(); ; {
		time.Sleep(look)
		now := used()
		if now-before < time.Duration(busy*float64(look)) {
			return
		}
		if before = now; time.Now().After(limit) {
			b.Fatal("the programs do not come to rest")
		}
	}
}
