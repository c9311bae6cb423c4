package e2e_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/load"
)

// BenchmarkNewServiceAmong100k measures, among 100,000 Services with three endpoints each that are addressed and routed, the time from the
// request for one more until it has its address, and until the router's kernel has the route; and what the API server alone takes to make a
// Service and write its status. Controller and speaker run on the same processors as it. The Services are as the programs left one of them, and
// are put into etcd past the API server.
func BenchmarkNewServiceAmong100k(b *testing.B) {
	const count, samples = 100_000, 21
	byRouter(b, func(b *testing.B, kind lab.RouterKind) {
		cluster := lab.New(b, lab.Nodes(1))
		cluster.Router().Configure(kind, lab.RouterSettings{})
		cluster.InstallDaymark()
		cluster.UsePlainBinaries()
		speaker := cluster.Nodes()[0].Speaker()
		cluster.Nodes()[0].Proxy().Stop()
		cluster.Apply(peer("router") + "\n---" + routedPool("many", "10.64.0.0/15"))
		last := storeCopies(b, cluster, count, cluster.Controller(), speaker)

		began := time.Now()
		speaker.Start()
		cluster.Controller().Start()
		awaitRoute(b, cluster, last)
		b.ReportMetric(time.Since(began).Seconds(), "s-routed")
		if err := awaitNewService(b, cluster, "late"); err != nil {
			b.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		b.ReportMetric(float64(writes(b, cluster)), "writes")

		for i := range samples {
			if err := cluster.API().Create(b.Context(), load.Endpoints(fmt.Sprintf("new-%d", i), "n1", "n1", "n1")); err != nil {
				b.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
		var addressed, routed, bare []time.Duration
		for i := range samples {
			toAddress, toRoute := newRoutedService(b, cluster, fmt.Sprintf("new-%d", i))
			addressed, routed = append(addressed, toAddress), append(routed, toRoute)
			time.Sleep(time.Second)
			began := time.Now()
			if err := writeAddress(b, cluster, fmt.Sprintf("bare-%d", i)); err != nil {
				b.Fatal(err)
			}
			bare = append(bare, time.Since(began))
			time.Sleep(time.Second)
		}
		reportTimes(b, "-addressed", addressed)
		reportTimes(b, "-routed", routed)
		reportTimes(b, "-bare", bare)
		reportMemory(b, cluster.Controller(), "-controller")
		reportMemory(b, speaker, "-speaker")
		reportChanges(b, cluster, cluster.Controller(), count, "-controller")
		reportChanges(b, cluster, speaker, count, "-speaker")
	})
}

// newRoutedService makes a Service that has endpoints, and returns after what time it has an address, and the router's kernel its route.
func newRoutedService(b *testing.B, cluster *lab.Cluster, name string) (addressed, routed time.Duration) {
	b.Helper()
	began := time.Now()
	if err := awaitNewService(b, cluster, name); err != nil {
		b.Fatal(err)
	}
	addressed = time.Since(began)
	object := &corev1.Service{}
	if err := cluster.API().Get(b.Context(), client.ObjectKey{Namespace: "default", Name: name}, object); err != nil {
		b.Fatal(err)
	}
	addr := netip.MustParseAddr(object.Status.LoadBalancer.Ingress[0].IP)
	awaitRoute(b, cluster, addr)
	return addressed, time.Since(began)
}

// awaitRoute waits until the router's kernel has a route of an address by itself. It looks up this one, and does not read a hundred thousand.
func awaitRoute(b *testing.B, cluster *lab.Cluster, addr netip.Addr) {
	b.Helper()
	lab.Eventually(b, 5*time.Minute, "the router has a route to "+addr.String(), func() error {
		routes, err := cluster.Router().Netlink().RouteGetWithOptions(addr.AsSlice(), &netlink.RouteGetOptions{FIBMatch: true})
		if err != nil {
			return err
		}
		if len(routes) != 1 || routes[0].Dst == nil || routes[0].Dst.String() != addr.String()+"/32" {
			return fmt.Errorf("it has %v", routes)
		}
		return nil
	})
}
