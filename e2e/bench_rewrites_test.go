package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/load"
)

// BenchmarkNewServiceDuringRewrites measures how long a new Service waits for its address while the conditions of 10,000 Services
// are rewritten, because one more advertisement selects them all, and while nothing is; and how long the API server alone takes
// meanwhile. Before, it counts what an edit of a pool writes that one of these Services is not in.
func BenchmarkNewServiceDuringRewrites(b *testing.B) {
	const count, samples = 10000, 9
	for b.Loop() {
		cluster := plainLab(b)
		cluster.Apply(peer("router") + "\n---" + routedPool("many", "198.19.0.0/17") + "\n---" + routedPool("one", "198.19.128.0/24"))
		for _, node := range cluster.Nodes() {
			node.Proxy().Stop()
		}
		load.CreateEndpoints(b, cluster, "many", count)
		load.CreateServices(b, cluster, "many", "many", count)
		load.AwaitAddresses(b, cluster, "many", "many", count)
		load.AwaitRoutes(b, cluster, count)
		b.ReportMetric(float64(writesOfPoolEdit(b, cluster)), "writes-of-pool-edit")

		measure := func(name string, create func(name string) error) {
			var times []time.Duration
			for i := range samples {
				began := time.Now()
				if err := create(fmt.Sprintf("%s-%d", name, i)); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(began))
				time.Sleep(time.Second)
			}
			reportTimes(b, "-"+name, times)
		}
		given := func(name string) error { return awaitNewService(b, cluster, name) }
		measure("quiet", given)
		cluster.Apply(strings.ReplaceAll(advertisement, "NAME", "another"))
		time.Sleep(3 * time.Second) // the rewrites have begun, and take most of a minute
		measure("rewriting", given)
		measure("bare", func(name string) error { return writeAddress(b, cluster, name) })
	}
}

// awaitNewService makes a Service and waits until it has an address.
func awaitNewService(b *testing.B, cluster *lab.Cluster, name string) error {
	b.Helper()
	object := load.WithoutNodePorts(name, "many")
	if err := cluster.API().Create(b.Context(), object); err != nil {
		return err
	}
	lab.Eventually(b, time.Minute, "the new Service has an address", func() error {
		if err := cluster.API().Get(b.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		if len(object.Status.LoadBalancer.Ingress) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	return nil
}

// writeAddress makes a Service of another class and writes an address into its status: what the API server takes by itself.
func writeAddress(b *testing.B, cluster *lab.Cluster, name string) error {
	b.Helper()
	object := load.WithoutNodePorts(name, "many")
	class := "example.com/other"
	object.Spec.LoadBalancerClass = &class
	if err := cluster.API().Create(b.Context(), object); err != nil {
		return err
	}
	object.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.99"}}
	if err := cluster.API().Status().Update(b.Context(), object); err != nil {
		return err
	}
	return cluster.API().Get(b.Context(), client.ObjectKeyFromObject(object), object)
}

// writesOfPoolEdit has a pool serve no Service any more that is not of a namespace, among 10,000 Services that are in another pool and
// one that is in this one. It returns how many Services are written.
func writesOfPoolEdit(b *testing.B, cluster *lab.Cluster) int {
	b.Helper()
	if err := cluster.API().Create(b.Context(), load.WithoutNodePorts("lonely", "one")); err != nil {
		b.Fatal(err)
	}
	message := func() string {
		object := &corev1.Service{}
		if err := cluster.API().Get(b.Context(), client.ObjectKey{Namespace: "default", Name: "lonely"}, object); err != nil {
			b.Fatal(err)
		}
		for _, condition := range object.Status.Conditions {
			if condition.Type == "daymark.io/AddressAssigned" && len(object.Status.LoadBalancer.Ingress) == 1 {
				return condition.Message
			}
		}
		return ""
	}
	lab.Eventually(b, time.Minute, "the Service has an address", func() error {
		if message() == "" {
			return errors.New("not yet")
		}
		return nil
	})
	time.Sleep(2 * time.Second) // what follows from a new Service is written
	text, before := message(), writes(b, cluster)
	cluster.Apply(strings.Replace(pool("one", "198.19.128.0/24"), "spec: {", "spec: {serviceAllocation: {serviceSelectors: [{matchLabels: {tier: none}}]}, ", 1))
	lab.Eventually(b, time.Minute, "the Service says that its pool does not serve it any more", func() error {
		if message() == text {
			return errors.New("not yet")
		}
		return nil
	})
	time.Sleep(2 * time.Second) // what else is written would be by now
	return writes(b, cluster) - before
}
