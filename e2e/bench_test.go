package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
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
		before := createServices(b, cluster, "before", count)
		deleteServices(b, cluster)

		cluster.StartDaymark()
		cluster.Pod("first", "n1")
		cluster.Apply(service("first", "many"))
		first, _ := cluster.Service("first").AwaitAddress()
		awaitNextHops(b, cluster, first.String(), cluster.NodeNames()...)
		createEndpoints(b, cluster, "full", count)
		began := time.Now()
		createServices(b, cluster, "full", count)
		awaitAddresses(b, cluster, "full", count)
		addressed := time.Since(began)
		awaitRoutes(b, cluster, count+1)
		full := time.Since(began)

		stop(cluster)
		deleteServices(b, cluster)
		after := createServices(b, cluster, "after", count)
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
		createEndpoints(b, cluster, "many", count)
		created := time.Now()
		createServices(b, cluster, "many", count)
		awaitAddresses(b, cluster, "many", count)
		b.ReportMetric(time.Since(created).Seconds(), "s-with-addresses")
		awaitRoutes(b, cluster, count)
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

func bareService(name, pool string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, Labels: map[string]string{"batch": pool},
			Annotations: map[string]string{"daymark.io/address-pool": pool},
		},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

// createServices creates Services concurrently, and returns how long that took.
func createServices(b *testing.B, cluster *lab.Cluster, batch string, count int) time.Duration {
	b.Helper()
	nodePorts := count < 2500 // there are 2,768
	began := time.Now()
	err := concurrently(count, func(i int) error {
		object := bareService(fmt.Sprintf("%s-%d", batch, i), "many")
		object.Labels["batch"] = batch
		object.Spec.AllocateLoadBalancerNodePorts = &nodePorts
		return cluster.API().Create(context.Background(), object)
	})
	if err != nil {
		b.Fatalf("create Services: %v", err)
	}
	return time.Since(began)
}

// concurrently calls f for each number below count, many at a time.
func concurrently(count int, f func(i int) error) error {
	const hands = 32
	numbers := make(chan int, count)
	for i := range count {
		numbers <- i
	}
	close(numbers)
	errs := make([]error, count)
	var wait sync.WaitGroup
	for range hands {
		wait.Go(func() {
			for i := range numbers {
				errs[i] = f(i)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func deleteServices(b *testing.B, cluster *lab.Cluster) {
	b.Helper()
	list := &corev1.ServiceList{}
	if err := cluster.API().List(b.Context(), list, client.InNamespace("default"), client.HasLabels{"batch"}); err != nil {
		b.Fatal(err)
	}
	for i := range list.Items {
		if err := cluster.API().Delete(b.Context(), &list.Items[i]); err != nil {
			b.Fatal(err)
		}
	}
}

// awaitAddresses waits until every Service of a batch has an address. It looks at the count in the pool's status, since
// to list thousands of Services again and again would keep a core busy, and at the Services themselves at the end.
func awaitAddresses(b *testing.B, cluster *lab.Cluster, batch string, count int) {
	b.Helper()
	if err := v1beta1.AddToScheme(cluster.API().Scheme()); err != nil {
		b.Fatal(err)
	}
	lab.Eventually(b, 5*time.Minute, "every Service has an address", func() error {
		many := &v1beta1.IPAddressPool{}
		if err := cluster.API().Get(b.Context(), client.ObjectKey{Name: "many"}, many); err != nil {
			return err
		}
		if many.Status.IPv4 == nil || many.Status.IPv4.Assigned < int64(count) {
			return fmt.Errorf("the pool says %+v", many.Status.IPv4)
		}
		return nil
	})
	list := &corev1.ServiceList{}
	if err := cluster.API().List(b.Context(), list, client.InNamespace("default"), client.MatchingLabels{"batch": batch}); err != nil {
		b.Fatal(err)
	}
	for i := range list.Items {
		if len(list.Items[i].Status.LoadBalancer.Ingress) != 1 {
			b.Errorf("Service %s has no address", list.Items[i].Name)
		}
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
