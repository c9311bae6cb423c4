package e2e_test

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// BenchmarkWeights measures, with FRR and 1, 2 and 5 pods on three nodes under the policy Local: how far the share of a pod of 10,000
// connections is from an eighth, in percent of it, with weights and without; the time from the readiness of a pod in the API server to the
// weights in the router's kernel; and how many connections of a client that opens one each 10 ms meanwhile fail.
func BenchmarkWeights(b *testing.B) {
	lab.Need(b, lab.FRR)
	const connections, changes = 10_000, 20
	for b.Loop() {
		cluster := plainLab(b)
		cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
		counts := map[string]int{"n1": 1, "n2": 2, "n3": 5}
		pods := podsOn(cluster, "weighed", counts)
		cluster.Apply(peer("weighed") + "\n---" + routedPool("weighed", "198.19.45.0/28"))
		cluster.Apply(service("weighed", "weighed", "externalTrafficPolicy: Local"))
		address, _ := cluster.Service("weighed").AwaitAddress()
		awaitNextHops(b, cluster, address.String(), cluster.NodeNames()...)
		b.ReportMetric(farthestPod(b, cluster, address, counts, connections), "%-off-without")
		cluster.Apply(weighed("weighed", "198.19.45.0/28", "2001:db8:45::/124", "Endpoints"))
		awaitShares(b, cluster, address, counts)
		b.ReportMetric(farthestPod(b, cluster, address, counts, connections), "%-off")

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
	}
}

// farthestPod is how far the pods of that node whose pods are farthest from their share are from it, in percent of it.
func farthestPod(b *testing.B, cluster *lab.Cluster, address netip.Addr, pods map[string]int, connections int) (off float64) {
	b.Helper()
	arrived := arrivedAt(b, cluster.FarClient(), address, connections)
	for node, want := range shares(pods) {
		off = max(off, math.Abs(float64(arrived[node])/float64(connections)/want-1)*100)
	}
	return off
}
