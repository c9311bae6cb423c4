package ipam

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// fleet returns Services without addresses in a hundred namespaces.
func fleet(n int, families ...lb.Family) []*lb.Service {
	services := make([]*lb.Service, n)
	for i := range services {
		services[i] = &lb.Service{
			Key: lb.Key{Namespace: fmt.Sprintf("ns-%d", i%100), Name: fmt.Sprintf("web-%d", i)}, Created: time.Unix(int64(i/50), 0),
			LoadBalancer: true,
			Request:      &lb.Request{Families: families, UID: types.UID(fmt.Sprint(i)), Ports: []lb.Port{{Protocol: "TCP", Number: 80}}},
		}
	}
	return services
}

func benchmarkPool(name, text string) *lb.Pool {
	r, err := lb.ParseRange(text)
	if err != nil {
		panic(err)
	}
	return &lb.Pool{Name: name, AutoAssign: true, Ranges: []lb.Range{r}}
}

// settle writes a plan into the status of the Services, as the controller does.
func settle(plan Plan) {
	for i := range plan.Assignments {
		write(&plan.Assignments[i])
	}
}

func write(a *Assignment) {
	s := edited(a.Service)
	show(&s, a)
	*a.Service = s
}

func benchmark(b *testing.B, world World, want int) {
	b.ReportAllocs()
	for b.Loop() {
		plan := Compute(world)
		if got := plan.Pools[len(plan.Pools)-1]; len(plan.Assignments) != len(world.Services) || got == nil {
			b.Fatal("the plan is not whole")
		}
		if last := plan.Assignments[want-1]; len(last.Addresses) == 0 {
			b.Fatalf("%s has no address: %s", last.Service.Key, last.Outcome().Message)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(world.Services)), "ns/service")
}

func worldOf(services []*lb.Service, pools ...*lb.Pool) World {
	return World{Classes: lb.Classes{Name: "daymark.io/daymark", Classless: true}, Services: services, Pools: lb.NewPools(pools)}
}

// BenchmarkCompute_Fill16 gives all 65,536 addresses of an IPv4 /16 in one pass.
func BenchmarkCompute_Fill16(b *testing.B) {
	benchmark(b, worldOf(fleet(65536, lb.IPv4), benchmarkPool("blue", "10.0.0.0/16")), 65536)
}

// BenchmarkCompute_FillIPv6 gives as many addresses of an IPv6 /64.
func BenchmarkCompute_FillIPv6(b *testing.B) {
	benchmark(b, worldOf(fleet(65536, lb.IPv6), benchmarkPool("blue", "2001:db8::/64")), 65536)
}

// BenchmarkCompute_FillOneByOne gives the addresses of a /22 one pass after the other, each with one Service more.
func BenchmarkCompute_FillOneByOne(b *testing.B) {
	for b.Loop() {
		all := fleet(1024, lb.IPv4)
		pools := lb.NewPools([]*lb.Pool{benchmarkPool("blue", "10.0.0.0/22")})
		for i := range all {
			world := worldOf(all[:i+1])
			world.Pools = pools
			settle(Compute(world))
		}
	}
}

func hundredPools(size int) []*lb.Pool {
	pools := make([]*lb.Pool, 100)
	for i := range pools {
		from := netip.AddrFrom4([4]byte{10, byte(i), 0, 0})
		pools[i] = benchmarkPool(fmt.Sprintf("pool-%02d", i), fmt.Sprintf("%s-10.%d.%d.%d", from, i, (size-1)/256, (size-1)%256))
	}
	return pools
}

// BenchmarkCompute_Plan10k plans 10,000 Services in 100 pools: a pass that gives all addresses, one that keeps all, and one
// in which the pools are enough for half of the Services.
func BenchmarkCompute_Plan10k(b *testing.B) { benchmarkPlan(b, 10_000) }

// BenchmarkCompute_Plan100k is the same with 100,000 Services.
func BenchmarkCompute_Plan100k(b *testing.B) { benchmarkPlan(b, 100_000) }

func benchmarkPlan(b *testing.B, n int) {
	world := worldOf(fleet(n, lb.IPv4), hundredPools(n/100)...)
	b.Run("give", func(b *testing.B) { benchmark(b, world, n) })
	plan := Compute(world)
	settle(plan)
	world.Memory = plan.Memory
	b.Run("keep", func(b *testing.B) { benchmark(b, world, n) })
	world = worldOf(fleet(n, lb.IPv4), hundredPools(n/200)...)
	b.Run("half wait", func(b *testing.B) { benchmark(b, world, n/2) })
}

// BenchmarkCompute_Rules100k plans 100,000 Services of which a fifth share an address with another, in 100 pools with a limit per
// namespace and a reuse delay: a pass that gives all addresses, one that keeps all, and the first one of a process that knows nothing
// but the provenance of the Services.
func BenchmarkCompute_Rules100k(b *testing.B) {
	const n = 100_000
	services := fleet(n, lb.IPv4)
	for i, s := range services {
		if row := i / 100; row%10 < 2 { // the Services 100 apart are of one namespace
			s.SharingKey = fmt.Sprint("key-", row/10)
			s.Ports = []lb.Port{{Protocol: "TCP", Number: uint16(80 + row%10)}}
		}
	}
	pools := hundredPools(n / 100)
	for _, pool := range pools {
		pool.MaxPerNamespace, pool.ReuseDelay = 20, time.Minute
	}
	world := worldOf(services, pools...)
	world.Now = time.Unix(n, 0)
	b.Run("give", func(b *testing.B) { benchmark(b, world, n) })
	plan := Compute(world)
	settle(plan)
	b.Run("restart", func(b *testing.B) { benchmark(b, world, n) })
	world.Memory = plan.Memory
	b.Run("keep", func(b *testing.B) { benchmark(b, world, n) })
}

// BenchmarkOutcome_Messages5k plans 5,000 Services that prefer two families, of which a hundred pools have one, and makes
// their messages.
func BenchmarkOutcome_Messages5k(b *testing.B) {
	services := fleet(5000, lb.IPv4, lb.IPv6)
	for _, s := range services {
		s.Policy = lb.PreferDualStack
	}
	world := worldOf(services, hundredPools(50)...)
	b.ReportAllocs()
	for b.Loop() {
		plan := Compute(world)
		for i := range plan.Assignments {
			if o := plan.Assignments[i].Outcome(); o.Reason != ReasonOneFamily {
				b.Fatal(o)
			}
		}
	}
}

// BenchmarkCompute_Share5k plans 5,000 Services that share one address.
func BenchmarkCompute_Share5k(b *testing.B) {
	services := fleet(5000, lb.IPv4)
	for i, s := range services {
		s.SharingKey, s.Ports = "key", []lb.Port{{Protocol: "TCP", Number: uint16(i)}}
	}
	world := worldOf(services, benchmarkPool("blue", "10.0.0.0/16"))
	b.Run("give", func(b *testing.B) { benchmark(b, world, len(services)) })
	plan := Compute(world)
	settle(plan)
	world.Memory = plan.Memory
	b.Run("keep", func(b *testing.B) { benchmark(b, world, len(services)) })
}
