package e2e_test

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/e2e/load"
)

// loadFor is how long BenchmarkFalseTakeOvers looks.
var loadFor = flag.Duration("load.for", 2*time.Minute, "how long speakers are kept from running by BenchmarkFalseTakeOvers")

// BenchmarkAtRest measures what a speaker of three nodes takes when nothing happens, with two BGP peers under BFD: its share of a
// processor (%-cpu), and how often in a second one of its threads is woken (wakes/s).
func BenchmarkAtRest(b *testing.B) {
	for _, services := range []int{10, 6000} {
		b.Run(fmt.Sprint(services, "Services"), func(b *testing.B) {
			for b.Loop() {
				measureRest(b, services)
			}
		})
	}
}

func measureRest(b *testing.B, services int) {
	b.Helper()
	cluster := plainLab(b)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{BFD: bfdInterval})
	cluster.FarRouter(lab.RouterSettings{BFD: bfdInterval, Extra: "multihop 2;"})
	cluster.Apply(bfdProfile("near", bfdInterval, 3) + "\n---" + peer("near", "bfdProfile: near"))
	cluster.Apply(strings.Replace(bfdProfile("far", bfdInterval, 3), "spec: {", "spec: {minimumTTL: 63, ", 1))
	cluster.Apply(strings.Replace(peer("far", "ebgpMultiHop: true", "bfdProfile: far"), lab.RouterV4.String(), lab.FarClientV4.String(), 1))
	cluster.Apply(routedPool("many", "198.19.0.0/16") + "\n---" + segmentPool("near", "192.0.2.210-192.0.2.219"))
	for _, node := range cluster.Nodes()[1:] { // A speaker whose node has none looks for it all the time.
		node.Proxy().Stop()
	}
	load.CreateEndpoints(b, cluster, "rest", services)
	load.CreateServices(b, cluster, "rest", "many", services)
	load.AwaitAddresses(b, cluster, "rest", "many", services)
	load.AwaitRoutes(b, cluster, services)
	cluster.Pod("near", "n1")
	cluster.Apply(service("near", "near"))
	address, _ := cluster.Service("near").AwaitAddress()
	awaitHolder(b, cluster, address)
	awaitMembers(b, cluster)
	for _, node := range cluster.NodeNames() {
		awaitBFDUp(b, cluster, node, "near")
		awaitBFDUp(b, cluster, node, "far")
	}
	time.Sleep(20 * time.Second) // What follows from the creation is written.
	const look = 20 * time.Second
	speaker := cluster.Node("n1").Speaker()
	cpu, wakes := must(speaker.CPU())(b), must(speaker.Wakes())(b)
	time.Sleep(look)
	b.ReportMetric(100*float64(must(speaker.CPU())(b)-cpu)/float64(look), "%-cpu")
	b.ReportMetric(float64(must(speaker.Wakes())(b)-wakes)/look.Seconds(), "wakes/s")
}

// takeOvers counts how often the holders of addresses have changed.
func takeOvers(seen probe.Observations, addresses []netip.Addr, since time.Time) (count int) {
	for _, address := range addresses {
		count += len(seen.Holders(address, since)) - 1
	}
	return count
}

// must returns a value, or ends the benchmark.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// BenchmarkFalseTakeOvers counts how often a speaker that is alive is taken for dead (alarms), and how often an address changes its
// holder (take-overs), while every processor is busy and the speakers are stopped for 20 ms each at random: by default, with the
// fastest settings, and by default in the cgroups of Pods on a node that is full. It looks for as long as -load.for says.
func BenchmarkFalseTakeOvers(b *testing.B) {
	for _, each := range []struct {
		name  string
		pods  bool
		flags []string
	}{
		{name: "default"},
		{name: "fastest", flags: []string{"--heartbeat-interval=25ms", "--heartbeat-multiplier=4"}},
		{name: "pods", pods: true},
	} {
		b.Run(each.name, func(b *testing.B) {
			for b.Loop() {
				measureFalseTakeOvers(b, each.pods, each.flags)
			}
		})
	}
}

func measureFalseTakeOvers(b *testing.B, pods bool, flags []string) {
	b.Helper()
	cluster := sharedLab(b, flags...)
	addresses := manyServices(b, cluster, 6, "192.0.2.210-192.0.2.219")
	awaitHolders(b, cluster, "each address has one holder", addresses, nil)
	busy := keepBusy(b)
	if pods {
		groups := newPodGroups(b)
		groups.speakers(cluster)
		groups.put("others", shareOfOthers, 0, busy...)
	}
	watch := cluster.Client().Watch(addresses...)
	defer watch.Stop()
	alarms := func() (sum float64) {
		for _, node := range cluster.Nodes() {
			sum += must(node.Speaker().Metric(7472, "daymark_gossip_false_alarms_total"))(b)
		}
		return sum
	}
	began, before := time.Now(), alarms()
	pauses, longest := pauseSpeakers(b, cluster, *loadFor)
	b.ReportMetric(alarms()-before, "alarms")
	b.ReportMetric(float64(takeOvers(watch.Seen(), addresses, began)), "take-overs")
	b.ReportMetric(float64(pauses), "pauses")
	b.ReportMetric(float64(longest.Milliseconds()), "ms-longest-pause")
}

// keepBusy runs a program without end on each processor, until the benchmark ends, and returns their ids.
func keepBusy(b *testing.B) (all []int) {
	b.Helper()
	for range runtime.NumCPU() {
		busy := exec.Command("sh", "-c", "while :; do :; done")
		if err := busy.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = errors.Join(busy.Process.Kill(), busy.Wait()) })
		all = append(all, busy.Process.Pid)
	}
	return all
}
