package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// BenchmarkStorm measures what Services cost that are created at once, with three speakers and FRR, by their number: the processor time of
// the controller and of the speaker that takes most, for each Service as well, which is the same where a storm costs as much as it has
// Services; their memory; and the time until the last has its route. The Services have no node ports, and the service proxies are stopped.
func BenchmarkStorm(b *testing.B) {
	for _, count := range []int{2000, 6000, 20000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			for b.Loop() {
				measureStorm(b, count)
			}
		})
	}
}

func measureStorm(b *testing.B, count int) {
	b.Helper()
	cluster := plainLab(b)
	cluster.Apply(peer("router") + "\n---" + routedPool("many", "198.19.0.0/16"))
	for _, node := range cluster.Nodes() {
		node.Proxy().Stop()
	}
	createEndpoints(b, cluster, "storm", count)
	began := time.Now()
	err := concurrently(count, func(i int) error {
		object := bareService(fmt.Sprintf("storm-%d", i), "many")
		object.Labels["batch"] = "storm"
		object.Spec.AllocateLoadBalancerNodePorts = new(false)
		return cluster.API().Create(context.Background(), object)
	})
	if err != nil {
		b.Fatalf("create Services: %v", err)
	}
	b.ReportMetric(time.Since(began).Seconds(), "s-created")
	awaitAddresses(b, cluster, "storm", count)
	awaitRoutes(b, cluster, count)
	b.ReportMetric(time.Since(began).Seconds(), "s-routed")
	programs := []lab.Daemon{cluster.Controller()}
	for _, node := range cluster.Nodes() {
		programs = append(programs, node.Speaker())
	}
	reportPrograms(b, programs, count)
}

// reportPrograms reports the most processor time and memory that programs of each kind took for a number of Services.
func reportPrograms(b *testing.B, programs []lab.Daemon, services int) {
	b.Helper()
	spent, resident := map[string]time.Duration{}, map[string]int64{}
	for _, p := range programs {
		cpu, err := p.CPU()
		if err != nil {
			b.Fatal(err)
		}
		memory, err := p.Resident()
		if err != nil {
			b.Fatal(err)
		}
		kind, _, _ := strings.Cut(p.Name, "-")
		spent[kind], resident[kind] = max(spent[kind], cpu), max(resident[kind], memory)
	}
	for kind, cpu := range spent { // order does not matter: the testing package sorts metrics
		b.ReportMetric(cpu.Seconds(), "cpu-s-"+kind)
		b.ReportMetric(float64(cpu.Microseconds())/1000/float64(services), "cpu-ms/Service-"+kind)
		b.ReportMetric(float64(resident[kind])/1e6, "MB-"+kind)
	}
}
