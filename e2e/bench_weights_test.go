package e2e_test

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// BenchmarkWeights measures, with FRR and 1, 2 and 5 pods on three nodes under the policy Local: how far the connections of the pod that is
// farthest off are from an eighth of 10,000, in percent of it, with weights and without; the same for the pods of a node together, where
// chance has less part: of 10,000 connections that are spread at random some pod of eight is more than 5 % off in a third of all cases, since the
// standard deviation is 2.6 %. So it counts 40,000 as well. Then the time from the readiness of a pod in the API server to the
// weights in the router's kernel, and how many connections of a client that opens one each 10 ms meanwhile fail; and that time for the
// only pod of a node, whose route comes and goes, with the connectionDraining of an advertisement that does not say it, and without any.
func BenchmarkWeights(b *testing.B) {
	lab.Need(b, lab.FRR)
	const connections, changes = 10_000, 20
	for b.Loop() {
		cluster := plainLab(b)
		cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
		counts := map[string]int{"n1": 1, "n2": 2, "n3": 5}
		pods := podsOn(cluster, "weighed", counts)
		const v4, v6 = "198.19.45.0/28", "2001:db8:45::/124"
		cluster.Apply(peer("weighed") + "\n---" + routedPool("weighed", v4))
		cluster.Apply(service("weighed", "weighed", "externalTrafficPolicy: Local"))
		address, _ := cluster.Service("weighed").AwaitAddress()
		awaitNextHops(b, cluster, address.String(), cluster.NodeNames()...)
		reportFarthest(b, cluster, address, counts, connections, "-without")
		cluster.Apply(weighed("weighed", v4, v6, "Endpoints"))
		awaitShares(b, cluster, address, counts)
		reportFarthest(b, cluster, address, counts, connections, "")
		reportFarthest(b, cluster, address, counts, 4*connections, "-40k")

		prober := cluster.FarClient().Probe(url(address))
		var took []time.Duration
		for i := range changes {
			ready := i%2 == 1
			pods["n3"][0].SetReady(ready)
			counts["n3"] = map[bool]int{false: 4, true: 5}[ready]
			took = append(took, awaitShares(b, cluster, address, counts))
		}
		report := prober.Stop()
		b.ReportMetric(float64(len(report.Attempts)), "connections")
		b.ReportMetric(float64(report.Failed()), "failed")
		reportTimes(b, "", took)
		measureFirstAndLast(b, cluster, address, pods["n1"][0], counts, "")
		cluster.Apply(weighed("weighed", v4, v6, "Endpoints, connectionDraining: 0s"))
		measureFirstAndLast(b, cluster, address, pods["n1"][0], counts, "-undrained")
	}
}

// measureFirstAndLast reports the times from the readiness of the only pod of n1 in the API server, or its end, to the routes and weights in the
// router's kernel.
func measureFirstAndLast(b *testing.B, cluster *lab.Cluster, address netip.Addr, pod *lab.Pod, counts map[string]int, name string) {
	b.Helper()
	var first, last []time.Duration
	for range 10 {
		pod.SetReady(false)
		delete(counts, "n1")
		last = append(last, awaitShares(b, cluster, address, counts))
		pod.SetReady(true)
		counts["n1"] = 1
		first = append(first, awaitShares(b, cluster, address, counts))
	}
	reportTimes(b, "-first"+name, first)
	reportTimes(b, "-last"+name, last)
}

// reportFarthest reports how far the pod and the node that are farthest from their share of some connections are from it, in percent of it.
func reportFarthest(b *testing.B, cluster *lab.Cluster, address netip.Addr, pods map[string]int, connections int, name string) {
	b.Helper()
	sum, arrived, farthest := 0, map[string]int{}, 0.0
	for _, count := range pods {
		sum += count
	}
	answered := answeredBy(b, cluster.FarClient(), address, connections)
	if len(answered) != sum {
		b.Fatalf("%d pods answered: %v", len(answered), answered)
	}
	off := func(count int, want float64) float64 {
		return math.Abs(float64(count)/float64(connections)/want-1) * 100
	}
	for pod, count := range answered {
		arrived[pod.node] += count
		farthest = max(farthest, off(count, 1/float64(sum)))
	}
	b.ReportMetric(farthest, "%-off"+name)
	farthest = 0
	for node, want := range shares(pods) {
		farthest = max(farthest, off(arrived[node], want))
	}
	b.ReportMetric(farthest, "%-off-node"+name)
}
