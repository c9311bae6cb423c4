package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/load"
)

// Figures of the whole, for docs/performance.md. Each benchmark brings up a lab of its own and runs the programs as
// `make build` makes them: go test -run '^$' -bench . -benchtime 1x ./e2e

// plainLab is a lab with nothing in it but Daymark, as it is installed.
func plainLab(b *testing.B, options ...lab.Option) *lab.Cluster {
	b.Helper()
	cluster := lab.New(b, append([]lab.Option{lab.Nodes(3)}, options...)...)
	cluster.InstallDaymark()
	cluster.UsePlainBinaries()
	return cluster
}

// reportTimes gives the median, least and most of some times in milliseconds; name tells several metrics of one benchmark
// apart.
func reportTimes(b *testing.B, name string, times []time.Duration) {
	b.Helper()
	sorted := slices.Sorted(slices.Values(times))
	b.ReportMetric(float64(sorted[len(sorted)/2].Milliseconds()), "ms-median"+name)
	b.ReportMetric(float64(sorted[0].Milliseconds()), "ms-least"+name)
	b.ReportMetric(float64(sorted[len(sorted)-1].Milliseconds()), "ms-most"+name)
}

// BenchmarkServicesCreatedAtOnce measures how long it takes until all of many Services that are created at once have an
// address and a route in the router's kernel, as a multiple of the time that the bare API server takes to create them: the mean
// of that before and after, since a machine is not equally fast all the time.
func BenchmarkServicesCreatedAtOnce(b *testing.B) {
	const count = 2000
	for b.Loop() {
		cluster := plainLab(b)
		cluster.Apply(peer("router") + "\n---" + routedPool("many", "198.19.0.0/16"))
		stop(cluster)
		before := load.CreateServices(b, cluster, "before", "many", count, load.WithNodePorts)
		load.DeleteServices(b, cluster, "before", count)

		cluster.StartDaymark()
		cluster.Pod("first", "n1")
		cluster.Apply(service("first", "many"))
		first, _ := cluster.Service("first").AwaitAddress()
		awaitNextHops(b, cluster, first.String(), cluster.NodeNames()...)
		load.CreateEndpoints(b, cluster, "full", count)
		began := time.Now()
		load.CreateServices(b, cluster, "full", "many", count, load.WithNodePorts)
		load.AwaitAddresses(b, cluster, "full", "many", count)
		addressed := time.Since(began)
		load.AwaitRoutes(b, cluster, count+1)
		full := time.Since(began)

		stop(cluster)
		load.DeleteServices(b, cluster, "full", count)
		after := load.CreateServices(b, cluster, "after", "many", count, load.WithNodePorts)
		bare := (before + after) / 2
		b.ReportMetric(before.Seconds(), "s-bare-before")
		b.ReportMetric(after.Seconds(), "s-bare-after")
		b.ReportMetric(bare.Seconds(), "s-bare")
		b.ReportMetric(addressed.Seconds(), "s-with-addresses")
		b.ReportMetric(full.Seconds(), "s-routed")
		b.ReportMetric(full.Seconds()/bare.Seconds(), "x")
	}
}

// advertisement announces all pools to all peers.
const advertisement = `
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: NAME}
spec: {}
`

// BenchmarkManyServices measures what controller and speaker need for 5,000 Services, each with an endpoint and announced by
// BGP: memory, CPU, writes, the time until all are routed, and how long a controller that takes over is busy. The service
// proxies are stopped: what they do with so many Services would keep the machine busy, and is not ours.
func BenchmarkManyServices(b *testing.B) {
	const count = 5000
	for b.Loop() {
		cluster := plainLab(b)
		cluster.Apply(peer("router") + "\n---" + routedPool("many", "198.19.0.0/16"))
		for _, node := range cluster.Nodes() {
			node.Proxy().Stop()
		}
		load.CreateEndpoints(b, cluster, "many", count)
		created := time.Now()
		load.CreateServices(b, cluster, "many", "many", count)
		load.AwaitAddresses(b, cluster, "many", "many", count)
		b.ReportMetric(time.Since(created).Seconds(), "s-with-addresses")
		load.AwaitRoutes(b, cluster, count)
		b.ReportMetric(time.Since(created).Seconds(), "s-routed")
		for _, p := range []lab.Daemon{cluster.Controller(), cluster.Node("n1").Speaker()} {
			resident, err := p.Resident()
			if err != nil {
				b.Fatal(err)
			}
			spent, err := p.CPU()
			if err != nil {
				b.Fatal(err)
			}
			kind, _, _ := strings.Cut(p.Name, "-")
			b.ReportMetric(float64(resident)/1e6, "MB-"+kind)
			b.ReportMetric(spent.Seconds(), "cpu-s-"+kind)
		}
		b.ReportMetric(float64(writes(b, cluster))/count, "writes/Service")

		cluster.Controller().Stop()
		began := time.Now()
		cluster.Controller().Start()
		cluster.Apply(service("late", "many"))
		cluster.Service("late").AwaitAddress()
		b.ReportMetric(time.Since(began).Seconds(), "s-take-over")
	}
}

func stop(cluster *lab.Cluster) {
	cluster.Controller().Stop()
	for _, node := range cluster.Nodes() {
		node.Speaker().Stop()
	}
}

// writes of Services that the controller made, by its own metrics.
func writes(b *testing.B, cluster *lab.Cluster) int {
	b.Helper()
	text, err := cluster.Controller().Metrics(7470)
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, `daymark_controller_writes_total{kind="Service",result="success"}`) {
			var value float64
			if _, err := fmt.Sscan(strings.Fields(line)[1], &value); err != nil {
				b.Fatal(err)
			}
			return int(value)
		}
	}
	b.Fatal("the controller does not say how many writes it made")
	return 0
}
