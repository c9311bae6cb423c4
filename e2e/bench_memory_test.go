package e2e_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/load"
)

// BenchmarkController100k measures the controller that takes over 100,000 Services, each with an EndpointSlice of three endpoints: its
// memory, the most of it, the processor time, and the time from its start until it gives the next address; the share of a core that it takes
// while endpoints of 50 Services change a second; and the same memory while all texts are to be rewritten. Then it is stopped, and a speaker
// that routes all is measured in its place. The Services are as the controller wrote one of them, and are put into etcd past the API server.
func BenchmarkController100k(b *testing.B) {
	const count = 100_000
	for b.Loop() {
		cluster := lab.New(b, lab.Nodes(1))
		cluster.InstallDaymark()
		cluster.UsePlainBinaries()
		for _, node := range cluster.Nodes() {
			node.Proxy().Stop()
			node.Speaker().Stop()
		}
		cluster.Apply(routedPool("many", "10.64.0.0/15"))
		last := storeCopies(b, cluster, count, cluster.Controller())

		cluster.Controller().Start()
		began := time.Now()
		if err := awaitNewService(b, cluster, "late"); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-take-over")
		reportMemory(b, cluster.Controller(), "-taken-over")
		time.Sleep(30 * time.Second)
		reportMemory(b, cluster.Controller(), "-quiet")
		spent, err := cluster.Controller().CPU()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(spent.Seconds(), "cpu-s")
		b.ReportMetric(float64(writes(b, cluster)), "writes")
		reportChanges(b, cluster, cluster.Controller(), count, "-controller")

		cluster.Apply(strings.ReplaceAll(advertisement, "NAME", "another"))
		time.Sleep(20 * time.Second)
		began = time.Now()
		if err := awaitNewService(b, cluster, "later"); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-new-Service-rewriting")
		reportMemory(b, cluster.Controller(), "-rewriting")

		cluster.Controller().Stop() // which would write what the speaker reports into all Services
		cluster.Apply(peer("router"))
		speaker := cluster.Nodes()[0].Speaker()
		speaker.Start()
		lab.Eventually(b, 3*time.Minute, "the router has all routes", func() error {
			if hops := cluster.Router().NextHops(last.String()); len(hops) == 0 {
				return fmt.Errorf("it does not forward %s", last)
			}
			return nil
		})
		time.Sleep(10 * time.Second)
		reportMemory(b, speaker, "-speaker")
		reportChanges(b, cluster, speaker, count, "-speaker")
	}
}

// reportChanges reports the share of a core that a program takes while endpoints of 50 Services change a second, and how many did.
func reportChanges(b *testing.B, cluster *lab.Cluster, program lab.Daemon, services int, of string) {
	b.Helper()
	const changing = 20 * time.Second
	before, err := program.CPU()
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithTimeout(b.Context(), changing)
	defer stop()
	changed := load.ChangeEndpoints(ctx, cluster, "many", services, 50)
	after, err := program.CPU()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric((after-before).Seconds()/changing.Seconds()*100, "%-changes"+of)
	b.ReportMetric(float64(changed)/changing.Seconds(), "changes/s"+of)
}

// storeCopies makes a Service, waits until the controller has written all it writes, stops the programs that run, and stores copies of the
// Service with the addresses that follow, the last of which it returns.
func storeCopies(b *testing.B, cluster *lab.Cluster, count int, running ...lab.Daemon) netip.Addr {
	b.Helper()
	if err := cluster.API().Create(b.Context(), load.Endpoints("first", "n1", "n1")); err != nil {
		b.Fatal(err)
	}
	if err := awaitNewService(b, cluster, "first"); err != nil {
		b.Fatal(err)
	}
	time.Sleep(3 * time.Second) // all conditions are written
	for _, program := range running {
		program.Stop()
	}
	first := &corev1.Service{}
	if err := cluster.API().Get(b.Context(), client.ObjectKey{Namespace: "default", Name: "first"}, first); err != nil {
		b.Fatal(err)
	}
	addr := netip.MustParseAddr(first.Status.LoadBalancer.Ingress[0].IP)
	services, slices := make([]client.Object, count), make([]client.Object, count)
	for i := range count {
		addr = addr.Next()
		services[i] = copyOf(first, fmt.Sprintf("many-%d", i), addr.String())
		slice := load.Endpoints(fmt.Sprintf("many-%d", i), "n1", "n1", "n1")
		slice.UID = uuid.NewUUID() // as the API server gives it: caches keep it short
		slices[i] = slice
	}
	cluster.Store(b.Context(), "services/specs", services)
	cluster.Store(b.Context(), "endpointslices", slices)
	return addr
}

// copyOf is a Service as the controller would have written it with another name and address. It has no cluster IP, of which there are
// not enough.
func copyOf(from *corev1.Service, name, address string) *corev1.Service {
	replace := strings.NewReplacer(from.Status.LoadBalancer.Ingress[0].IP, address).Replace
	made := from.DeepCopy()
	made.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}
	made.Name, made.UID, made.ResourceVersion = name, uuid.NewUUID(), ""
	for key, value := range made.Annotations {
		made.Annotations[key] = replace(value)
	}
	made.Spec.ClusterIP, made.Spec.ClusterIPs = "", nil
	made.Status.LoadBalancer.Ingress[0].IP = address
	for i := range made.Status.Conditions {
		made.Status.Conditions[i].Message = replace(made.Status.Conditions[i].Message)
	}
	return made
}

// reportMemory reports the memory that a program has, and the most that it has had.
func reportMemory(b *testing.B, program lab.Daemon, when string) {
	b.Helper()
	resident, err := program.Resident()
	if err != nil {
		b.Fatal(err)
	}
	peak, err := program.Peak()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(resident)/(1<<20), "MiB"+when)
	b.ReportMetric(float64(peak)/(1<<20), "MiB-most"+when)
}
