package ipam

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// fixture is a cluster that a test builds in a few lines. A pass writes its plan into the Services.
type fixture struct {
	t            *testing.T
	now          time.Time
	grace        time.Duration
	services     map[string]*lb.Service
	pools        map[string]*lb.Pool
	reservations []*lb.Reservation
	namespaces   map[string]map[string]string
	nodes        []*lb.Node
	networks     []lb.NodeNetwork
	routers      []lb.PeerAddress
	serviceCIDRs []lb.NamedRange
	withdrawals  []Withdrawal
	memory       Memory
	plan         Plan
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{t: t, now: time.Unix(1_000_000, 0), services: map[string]*lb.Service{}, pools: map[string]*lb.Pool{}}
}

// pool adds a pool, younger than those before.
func (s *fixture) pool(name, addresses string, change ...func(*lb.Pool)) *lb.Pool {
	s.t.Helper()
	p := &lb.Pool{Name: name, Created: s.now.Add(time.Duration(len(s.pools))), AutoAssign: true, Ranges: ranges(s.t, addresses)}
	for _, f := range change {
		f(p)
	}
	s.pools[name] = p
	return p
}

func ranges(t *testing.T, texts string) []lb.Range {
	t.Helper()
	var list []lb.Range
	for _, text := range strings.Fields(texts) {
		r, err := lb.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return lb.Merge(list)
}

// service adds a Service, younger than those before, that wants one IPv4 address and has port 80. The name may be
// namespace/name.
func (s *fixture) service(name string, change ...func(*lb.Service)) *lb.Service {
	namespace, short, ok := strings.Cut(name, "/")
	if !ok {
		namespace, short = "default", name
	}
	made := &lb.Service{
		Key: lb.Key{Namespace: namespace, Name: short}, Created: s.now.Add(time.Duration(len(s.services)) * time.Second),
		LoadBalancer: true, Request: &lb.Request{UID: types.UID(name), Ports: []lb.Port{{Protocol: "TCP", Number: 80}}, Families: []lb.Family{lb.IPv4}},
	}
	for _, f := range change {
		f(made)
	}
	s.services[name] = made
	return made
}

// edited is a copy of a Service that may be changed.
func edited(s *lb.Service) lb.Service {
	copied, request := *s, *s.Request
	copied.Request = &request
	return copied
}

// edit replaces a Service by a changed copy.
func (s *fixture) edit(name string, change ...func(*lb.Service)) {
	changed := edited(s.services[name])
	for _, f := range change {
		f(&changed)
	}
	s.services[name] = &changed
}

// compute makes a plan and neither writes nor remembers it.
func (s *fixture) compute() *Plan {
	s.plan = Compute(s.world())
	return &s.plan
}

// world is the input of Compute.
func (s *fixture) world() World {
	world := World{
		Now: s.now, Classes: lb.Classes{Name: "daymark.io/daymark", Classless: true}, Reservations: s.reservations, Nodes: s.nodes,
		NodeNetworks: s.networks, PeerAddresses: s.routers, ServiceCIDRs: s.serviceCIDRs,
		Namespaces: s.namespaces, Withdrawals: s.withdrawals, Memory: s.memory, PoolGrace: s.grace,
	}
	for _, service := range s.services {
		world.Services = append(world.Services, service)
	}
	var pools []*lb.Pool
	for _, pool := range s.pools {
		pools = append(pools, pool)
	}
	world.Pools = lb.NewPools(pools)
	return world
}

// passWithoutWriting computes and remembers, and writes nothing, as when the API server refuses every write.
func (s *fixture) passWithoutWriting() { s.memory = s.compute().Memory }

// pass computes, writes and remembers, often enough that nothing changes any more.
func (s *fixture) pass() *fixture {
	for range 5 {
		s.compute()
		s.memory = s.plan.Memory
		for i := range s.plan.Assignments {
			a := &s.plan.Assignments[i]
			s.edit(key(a.Service), func(service *lb.Service) {
				show(service, a)
			})
		}
		for _, c := range s.plan.Cleanups {
			s.edit(key(c.Service), func(service *lb.Service) { clean(service, &c) })
		}
	}
	return s
}

// clean makes a cleanup, as the controller does.
func clean(s *lb.Service, c *Cleanup) {
	if c.Waits {
		s.Provenance.Withdrawing = s.LoadBalancer
		return
	}
	s.Finalizer = s.Finalizer && !s.Provenance.Finalizer
	s.Provenance, s.Managed = lb.Provenance{}, false
	s.Ingress = slices.DeleteFunc(slices.Clone(s.Ingress), func(addr netip.Addr) bool { return slices.Contains(c.Addresses, addr) })
}

// show writes an assignment into a status, as the controller does. A Service that has the finalizer is one that was given it.
func show(s *lb.Service, a *Assignment) {
	s.Ingress = nil
	s.Provenance, s.Managed = lb.Provenance{Class: "daymark.io/daymark", MissingSince: a.MissingSince, Finalizer: s.Finalizer}, true
	for _, has := range a.Addresses {
		s.Ingress = append(s.Ingress, has.Addr)
		s.Provenance.Allocations = append(s.Provenance.Allocations, has.Allocation())
	}
	s.Ingress = append(s.Ingress, a.Foreign...)
}

func key(s *lb.Service) string {
	if s.Key.Namespace == "default" {
		return s.Key.Name
	}
	return s.Key.String()
}

// has asserts the addresses of a Service, in order.
func (s *fixture) has(name, addresses string) {
	s.t.Helper()
	if got := strings.Join(lb.Strings(s.services[name].Ingress), " "); got != addresses {
		s.t.Errorf("%s has %q, want %q: %s", name, got, addresses, s.outcome(name).Message)
	}
}

// says asserts the reason of a Service and that its message contains some texts.
func (s *fixture) says(name string, want reason.Reason, texts ...string) {
	s.t.Helper()
	o := s.outcome(name)
	if o.Reason != want {
		s.t.Errorf("%s says %s, want %s: %s", name, o.Reason.Name, want.Name, o.Message)
	}
	for _, text := range texts {
		if !strings.Contains(o.Message, text) {
			s.t.Errorf("%s does not say %q: %s", name, text, o.Message)
		}
	}
}

func (s *fixture) outcome(name string) Outcome {
	for i := range s.plan.Assignments {
		if a := &s.plan.Assignments[i]; key(a.Service) == name {
			return a.Outcome()
		}
	}
	s.t.Fatalf("there is no plan for %s", name)
	return Outcome{}
}

func (s *fixture) use(pool string) *PoolUse {
	for _, use := range s.plan.Pools {
		if use.Pool.Name == pool {
			return use
		}
	}
	s.t.Fatalf("there is no pool %s in the plan", pool)
	return nil
}

// Changes of Services and pools.

func families(list ...lb.Family) func(*lb.Service) {
	return func(s *lb.Service) { s.Families, s.Policy = list, lb.SingleStack }
}

func dual(policy lb.FamilyPolicy) func(*lb.Service) {
	return func(s *lb.Service) { s.Families, s.Policy = []lb.Family{lb.IPv4, lb.IPv6}, policy }
}

func asks(addresses ...string) func(*lb.Service) {
	return func(s *lb.Service) {
		s.Requested = nil
		for _, text := range addresses {
			s.Requested = append(s.Requested, netip.MustParseAddr(text))
		}
	}
}

func asksPools(names ...string) func(*lb.Service) {
	return func(s *lb.Service) { s.RequestedPools = names }
}

func shares(key string, port uint16) func(*lb.Service) {
	return func(s *lb.Service) {
		s.SharingKey, s.Ports = key, []lb.Port{{Protocol: "TCP", Number: port}}
	}
}

func shows(addresses ...string) func(*lb.Service) {
	return func(s *lb.Service) {
		s.Ingress, s.Provenance = nil, lb.Provenance{}
		for _, text := range addresses {
			s.Ingress = append(s.Ingress, netip.MustParseAddr(text))
		}
	}
}

func priority(n int32) func(*lb.Pool) { return func(p *lb.Pool) { p.Priority = n } }
