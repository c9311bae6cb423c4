package ipam

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestCompute_AddressesOfOtherProviders(t *testing.T) {
	other := func(s *lb.Service) { s.Class = "example.com/other" }
	notServed := func(p *lb.Pool) { p.AutoAssign, p.Namespaces = false, []string{"red"} }
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"stay when there is no pool", func(s *fixture) {
			s.service("a", shows("192.0.2.7"))
			s.pass().has("a", "192.0.2.7")
			s.says("a", ReasonNoPool, "its status keeps 192.0.2.7")
		}},
		{"are adopted by the pool that comes and contains them", func(s *fixture) {
			s.service("a", shows("192.0.2.7"))
			s.service("b", shows("192.0.2.3"))
			s.pass()
			s.pool("blue", "192.0.2.0/28", notServed)
			s.pass().has("a", "192.0.2.7")
			s.has("b", "192.0.2.3")
			s.says("a", ReasonAssigned, "192.0.2.7 from pool blue")
		}},
		{"are not given to anybody else while they are shown", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.1")
			s.service("a", shows("192.0.2.0"), other)
			s.service("b")
			s.pass().has("b", "192.0.2.1")
			s.has("a", "192.0.2.0")
		}},
		{"of one family are replaced when there is one of ours of that family", func(s *fixture) {
			s.service("a", dual(lb.PreferDualStack), shows("203.0.113.1", "2001:db8::7"))
			s.pool("blue", "192.0.2.0/28")
			s.pass().has("a", "192.0.2.0 2001:db8::7")
			s.pool("six", "2001:db8::/120")
			s.pass().has("a", "192.0.2.0 2001:db8::7")
			s.says("a", ReasonAssigned, "2001:db8::7 from pool six")
		}},
		{"are adopted by a pool that serves the Service, when there is one", func(s *fixture) {
			public := s.pool("public", "198.51.100.0/28", notServed)
			s.pool("private", "192.0.2.0/28")
			s.service("a")
			s.pass()
			public.Ranges = ranges(t, "192.0.2.0/24")
			s.pass().says("a", ReasonAssigned, "from pool private")
			for _, provider := range []string{"metallb", "daymark"} {
				s.edit("a", func(service *lb.Service) { service.Provider = provider })
				s.pass().has("a", "192.0.2.0")
			}
			s.says("a", ReasonAssigned, "from pool private")
		}},
		{"that another Service of ours holds are not adopted", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.1")
			s.service("a")
			s.pass()
			s.service("b", shows("192.0.2.0"))
			s.pass().has("a", "192.0.2.0")
			s.has("b", "192.0.2.1")
		}},
		{"lose against an address with provenance, after a restart too", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("old")
			s.service("young")
			s.pass()
			s.edit("old", writes("192.0.2.1")) // by hand, while no controller runs
			s.memory = Memory{}
			s.pass().has("young", "192.0.2.1")
			s.has("old", "192.0.2.0")
		}},
		{"of a Service of another class are never touched, whatever its annotations say", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shows("192.0.2.7"), other)
			s.service("b", shows("203.0.113.7"), other)
			if s.compute(); len(s.plan.Cleanups) != 0 {
				t.Errorf("cleanups %v", s.plan.Cleanups)
			}
		}},
		{"two installations leave each other's alone", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shows("192.0.2.7"), other, gave("example.com/other", "192.0.2.7", "blue"))
			if s.compute(); len(s.plan.Cleanups) != 0 {
				t.Errorf("cleanups %v", s.plan.Cleanups)
			}
		}},
		{"are captured by no pool that cannot be read", func(s *fixture) {
			s.pool("broken", "", func(p *lb.Pool) { p.Err = errors.New("nonsense") })
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shows("203.0.113.7"), func(service *lb.Service) { service.RequestedPools = []string{"broken", "blue"} })
			s.pass().has("a", "192.0.2.0")
		}},
		{"of two installations that both serve it the second leaves a Service without a class as it is", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shows("192.0.2.7"), gave("example.com/other", "192.0.2.7", "blue"))
			delete(s.pools, "blue")
			s.grace = time.Minute
			s.compute()
			if has := s.plan.Assignments[0].Addresses; len(has) != 1 || has[0].Pool.Name != "blue" {
				t.Errorf("it has %v", has)
			}
		}},
		{"what Daymark gave and no pool contains is given up", func(s *fixture) {
			blue := s.pool("blue", "192.0.2.0/28")
			s.service("a")
			s.pass()
			blue.Ranges = ranges(t, "198.51.100.0/28")
			if s.compute(); len(s.plan.Assignments[0].Released) != 1 || !strings.Contains(s.plan.Assignments[0].Released[0].String(), "no pool contains it any more") {
				t.Errorf("releases %v", s.plan.Assignments[0].Released)
			}
			s.pass().has("a", "198.51.100.0")
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}

func TestCompute_ProvidersChangeOver(t *testing.T) {
	provider := func(name string) func(*lb.Service) { return func(s *lb.Service) { s.Provider = name } }
	s := newFixture(t)
	s.pool("blue", "192.0.2.0/28")
	s.service("a")
	s.service("b")
	s.pass()
	s.edit("b", provider("metallb"))
	s.pass().has("b", "192.0.2.1")
	if p := s.services["b"].Provenance; p.Class != "" {
		t.Errorf("it still has provenance %+v", p)
	}
	s.service("c")
	s.pass().has("c", "192.0.2.2")
	s.edit("b", provider("daymark"))
	s.pass().has("b", "192.0.2.1")
	s.says("b", ReasonAssigned)
	s.edit("b", func(service *lb.Service) { service.Class = "example.com/other" })
	s.pass().has("b", "")
}

func TestCompute_MissingPool(t *testing.T) {
	replaced := func(t *testing.T) *fixture {
		t.Helper()
		s := newFixture(t)
		s.grace = 10 * time.Minute
		s.pool("blue", "192.0.2.0/28", func(p *lb.Pool) { p.Namespaces = []string{"default"} })
		for _, name := range []string{"gap", "a", "b"} {
			s.service(name)
		}
		s.pass()
		delete(s.services, "gap")
		delete(s.pools, "blue")
		s.pass()
		return s
	}
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"its addresses stay for the grace time, and the Services say so", func(s *fixture) {
			s.has("a", "192.0.2.1")
			s.says("a", ReasonPoolMissing, "192.0.2.1 from pool blue, which does not exist any more: it is kept until 1970-01-12T13:56:40Z")
			if want := s.now.Add(s.grace); !s.plan.Next.Equal(want) {
				t.Errorf("decides again at %s, want %s", s.plan.Next, want)
			}
		}},
		{"a pool that comes back finds everything in place", func(s *fixture) {
			s.now = s.now.Add(9 * time.Minute)
			s.memory = Memory{} // and after a restart
			s.pool("blue", "192.0.2.0/28")
			s.service("new")
			s.pass().has("a", "192.0.2.1")
			s.has("b", "192.0.2.2")
			s.has("new", "192.0.2.0")
			s.says("a", ReasonAssigned)
		}},
		{"another pool that contains them takes over after the grace time only", func(s *fixture) {
			s.pool("azure", "192.0.2.0/28")
			s.service("new")
			s.pass().says("a", ReasonPoolMissing)
			s.has("new", "192.0.2.0")
			s.now = s.now.Add(11 * time.Minute)
			s.pass().has("a", "192.0.2.1")
			s.says("a", ReasonAssigned, "from pool azure")
		}},
		{"after the grace time they are given up, restarts do not prolong it", func(s *fixture) {
			s.now = s.now.Add(6 * time.Minute)
			s.memory = Memory{}
			s.pass().has("a", "192.0.2.1")
			s.now = s.now.Add(6 * time.Minute)
			s.memory = Memory{}
			s.pass().has("a", "")
		}},
		{"a pool that comes back without them lets them go at once", func(s *fixture) {
			s.pool("blue", "198.51.100.0/28")
			s.pass().has("a", "198.51.100.0")
		}},
		{"one that comes back and cannot be read keeps them", func(s *fixture) {
			s.pool("blue", "", func(p *lb.Pool) { p.Err = errors.New("nonsense") })
			s.now = s.now.Add(time.Hour)
			s.memory = Memory{}
			s.pass().has("a", "192.0.2.1")
			s.says("a", ReasonAssigned, "cannot be read at the moment")
		}},
		{"of another that has the same addresses and comes back nobody moves", func(s *fixture) {
			s.pool("azure", "192.0.2.0/28")
			s.pass()
			s.pool("blue", "192.0.2.0/28") // it is the younger one now
			s.memory = Memory{}
			s.service("new")
			s.pass().says("a", ReasonAssigned, "192.0.2.1 from pool blue")
			s.has("new", "192.0.2.0")
			s.says("new", ReasonAssigned, "192.0.2.0 from pool azure")
		}},
		{"a pool that went while no controller ran is missed from then on", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.pass()
			delete(s.pools, "blue")
			s.memory, s.now = Memory{}, s.now.Add(time.Hour)
			s.pass().has("a", "192.0.2.1")
			s.now = s.now.Add(9 * time.Minute)
			s.pass().has("a", "192.0.2.1")
			s.now = s.now.Add(2 * time.Minute)
			s.pass().has("a", "")
		}},
		{"each of two that go one after the other is missed for the grace time", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.pool("six", "2001:db8::/120")
			s.edit("a", dual(lb.PreferDualStack))
			s.pass().has("a", "192.0.2.1 2001:db8::")
			delete(s.pools, "blue")
			s.pass()
			s.now = s.now.Add(9 * time.Minute)
			delete(s.pools, "six")
			s.memory = Memory{}
			s.pass()
			s.now = s.now.Add(9 * time.Minute)
			s.memory = Memory{}
			s.pass().has("a", "192.0.2.1 2001:db8::")
			s.now = s.now.Add(2 * time.Minute)
			s.pass().has("a", "")
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(replaced(t)) })
	}
}

func TestCompute_RestoredFromABackup(t *testing.T) {
	had := func(addresses ...string) func(*lb.Service) {
		return func(s *lb.Service) {
			shows(addresses...)(s)
			s.LastAddresses, s.Ingress = s.Ingress, nil
		}
	}
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"it gets the address that it had", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", had("192.0.2.7"))
			s.pass().has("a", "192.0.2.7")
		}},
		{"it gets another when that is taken", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("other", asks("192.0.2.7"))
			s.pass()
			s.service("a", had("192.0.2.7"))
			s.pass().has("a", "192.0.2.0")
			s.says("a", ReasonAssigned)
		}},
		{"it gets nothing that its pool would not give", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.pool("theirs", "198.51.100.0/28", func(p *lb.Pool) { p.Namespaces = []string{"red"} })
			s.pool("asked", "203.0.113.0/28", func(p *lb.Pool) { p.AutoAssign = false })
			s.service("a", had("198.51.100.3"))
			s.service("b", had("203.0.113.3"))
			s.pass().has("a", "192.0.2.0")
			s.has("b", "192.0.2.1")
		}},
		{"those that shared share again", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80), had("192.0.2.7"))
			s.service("b", shares("k", 81), had("192.0.2.7"))
			s.pass().has("a", "192.0.2.7")
			s.has("b", "192.0.2.7")
		}},
		{"a request comes before the wish", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", had("192.0.2.7"), asks("192.0.2.9"))
			s.pass().has("a", "192.0.2.9")
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}

// gave is the provenance that an installation of a class wrote.
func gave(class, addr, pool string) func(*lb.Service) {
	return func(s *lb.Service) {
		s.Provenance.Class = class
		for _, shown := range s.Ingress {
			if shown.String() == addr {
				s.Provenance.Allocations = append(s.Provenance.Allocations, lb.Allocation{Addr: shown, Pool: pool})
			}
		}
	}
}

// BenchmarkCompute_NotServed40k plans 40,000 Services that Daymark served and does not serve any more.
func BenchmarkCompute_NotServed40k(b *testing.B) {
	services := fleet(40_000, lb.IPv4)
	world := worldOf(services, benchmarkPool("blue", "10.0.0.0/16"))
	settle(Compute(world))
	for _, s := range services {
		s.LoadBalancer = false
	}
	b.ReportAllocs()
	for b.Loop() {
		if plan := Compute(world); len(plan.Cleanups) != len(services) {
			b.Fatalf("%d cleanups", len(plan.Cleanups))
		}
	}
}
