package e2e_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/load"
)

// BenchmarkNodeCrashWithBFD measures, with BFD at 3 x 300 ms, the time in which new connections of a client behind the router
// fail when a node crashes (ms-median, ms-least, ms-most), and the time until the router has no route to the node (the same
// with -withdrawn). A client's connections are spread over three nodes, so that a third of them meets the dead one.
func BenchmarkNodeCrashWithBFD(b *testing.B) { benchmarkCrashWithBFD(b, bfdInterval) }

// BenchmarkNodeCrashWithFastBFD is the same at 3 x 50 ms.
func BenchmarkNodeCrashWithFastBFD(b *testing.B) { benchmarkCrashWithBFD(b, 50*time.Millisecond) }

func benchmarkCrashWithBFD(b *testing.B, interval time.Duration) {
	const times = 5
	byRouter(b, func(b *testing.B, kind lab.RouterKind) {
		cluster := sharedLab(b)
		address := underBFD(b, cluster, kind, interval, "crashes", "198.19.10.0/24")
		var spans, withdrawals []time.Duration
		for range times {
			c := crash(b, cluster, address, "n3")
			b.Logf("no route to n3 after %s; new connections failed for %s; %s", ms(c.withdrawn), ms(c.Span()), c.Report)
			spans, withdrawals = append(spans, c.Span()), append(withdrawals, c.withdrawn)
			cluster.Node("n3").Return()
			awaitNextHops(b, cluster, address.String(), cluster.NodeNames()...)
			awaitBFDUp(b, cluster, "n3", "crashes")
		}
		reportTimes(b, "", spans)
		reportTimes(b, "-withdrawn", withdrawals)
	})
}

// byRouter runs a benchmark against each kind of router: FRR keeps what it has received for some time before it looks at it.
func byRouter(b *testing.B, run func(b *testing.B, kind lab.RouterKind)) {
	for _, kind := range []lab.RouterKind{lab.FRR, lab.BIRD} {
		b.Run(string(kind), func(b *testing.B) {
			lab.Need(b, kind)
			for b.Loop() {
				run(b, kind)
			}
		})
	}
}

// BenchmarkServiceToRoute measures the time from the creation of a Service, whose pods are there, to its route in the
// router's kernel.
func BenchmarkServiceToRoute(b *testing.B) {
	const times = 21
	byRouter(b, func(b *testing.B, kind lab.RouterKind) {
		cluster := plainLab(b)
		cluster.Router().Configure(kind, lab.RouterSettings{})
		cluster.Apply(peer("router") + "\n---" + routedPool("quick", "198.19.0.0/16"))
		awaitSessions(b, cluster)
		cluster.Pod("quick", "n1")
		var took []time.Duration
		for i := range times {
			name := fmt.Sprintf("quick-%d", i)
			address := fmt.Sprintf("198.19.7.%d", i)
			object := load.Service(name, "quick")
			object.Spec.Selector = map[string]string{"app": "quick"}
			object.Spec.LoadBalancerIP = address
			began := time.Now()
			if err := cluster.API().Create(b.Context(), object); err != nil {
				b.Fatal(err)
			}
			lab.Eventually(b, waitTimeout, "the router has the route", func() error {
				if len(cluster.Router().NextHops(address)) == 0 {
					return errors.New("it has none")
				}
				return nil
			})
			took = append(took, time.Since(began))
		}
		reportTimes(b, "", took)
	})
}

// BenchmarkEndpointToWithdrawal measures the time from the write of an EndpointSlice, in which the only endpoint on a node is
// no longer ready, until the router's kernel has no route to that node; the Service's externalTrafficPolicy is Local.
func BenchmarkEndpointToWithdrawal(b *testing.B) {
	const times = 21
	byRouter(b, func(b *testing.B, kind lab.RouterKind) {
		cluster := plainLab(b)
		cluster.Router().Configure(kind, lab.RouterSettings{})
		cluster.Apply(peer("router") + "\n---" + routedPool("local", "198.19.0.0/16"))
		object := load.Service("local", "local")
		object.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		slice := load.Endpoints("local", "n1", "n2")
		if err := errors.Join(cluster.API().Create(b.Context(), object), cluster.API().Create(b.Context(), slice)); err != nil {
			b.Fatal(err)
		}
		address, _ := cluster.Service("local").AwaitAddress()
		ready := func(is bool) {
			slice.Endpoints[1].Conditions.Ready = &is
			if err := cluster.API().Update(b.Context(), slice); err != nil {
				b.Fatal(err)
			}
		}
		var took []time.Duration
		for range times {
			ready(true)
			awaitNextHops(b, cluster, address.String(), "n1", "n2")
			began := time.Now()
			ready(false)
			awaitNextHops(b, cluster, address.String(), "n1")
			took = append(took, time.Since(began))
		}
		reportTimes(b, "", took)
	})
}
