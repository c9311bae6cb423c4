package ipam

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestCompute_Requests(t *testing.T) {
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"a Service that asks for an address gets just that one", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", asks("192.0.2.7"))
			s.pass().has("a", "192.0.2.7")
		}},
		{"several addresses come in the order asked", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28 2001:db8::/126")
			s.service("a", dual(lb.RequireDualStack), asks("2001:db8::1", "192.0.2.7", "192.0.2.5"))
			s.pass().has("a", "192.0.2.7 192.0.2.5 2001:db8::1")
		}},
		{"all that is asked for or nothing", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", asks("192.0.2.5"))
			s.service("b", asks("192.0.2.4", "192.0.2.5"))
			s.pass().has("b", "")
			s.says("b", ReasonTaken, "pool blue has given it to Service default/a")
		}},
		{"an address of no pool", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.pool("red", "198.51.100.0/28")
			s.service("a", asks("203.0.113.1"))
			s.pass().says("a", ReasonNotInPool, "pool blue does not contain it", "pool red does not contain it")
		}},
		{"an address of a family that the Service does not have", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28 2001:db8::/64")
			s.service("a", asks("2001:db8::1"))
			s.pass().says("a", ReasonRequestInvalid, "2001:db8::1 is IPv6")
			s.has("a", "")
		}},
		{"an address of a pool that does not serve the Service", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28", func(p *lb.Pool) { p.Namespaces = []string{"red"} })
			s.service("a", asks("192.0.2.1"))
			s.pass().says("a", ReasonPoolNotEligible, "does not serve the namespace")
		}},
		{"pools are tried in the order of preference", func(s *fixture) {
			s.pool("blue", "192.0.2.1")
			s.pool("red", "192.0.2.2")
			s.service("a", asksPools("red", "blue"))
			s.service("b", asksPools("red", "blue"))
			s.service("c", asksPools("red", "gone"))
			s.pass().has("a", "192.0.2.2")
			s.has("b", "192.0.2.1")
			s.says("c", ReasonPoolExhausted, "pool red is exhausted", "pool gone does not exist")
			if strings.Contains(s.outcome("c").Message, "blue") {
				t.Error("a pool that was not asked for is named")
			}
		}},
		{"a pool and an address of another contradict each other", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.pool("red", "198.51.100.0/28")
			s.service("a", asks("192.0.2.1"), asksPools("red"))
			s.pass().says("a", ReasonPoolNotEligible, "pool blue has it, and the Service asks for another pool")
		}},
		{"a Service that asks for another address moves when it can be had, and not before", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a")
			s.service("b")
			s.pass()
			s.edit("a", asks("192.0.2.1"))
			s.pass().has("a", "192.0.2.0")
			s.says("a", ReasonTaken, "default/b", "until then it keeps 192.0.2.0 from pool blue")
			delete(s.services, "b")
			s.pass().has("a", "192.0.2.1")
			s.says("a", ReasonAssigned)
		}},
		{"what is given up in a pass is free in the next", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.1")
			s.service("a")
			s.pass()
			s.edit("a", asks("192.0.2.1"))
			s.service("b", asks("192.0.2.0"))
			if s.compute(); s.outcome("b").Reason != ReasonTaken {
				t.Errorf("b gets what the status of a still shows: %s", s.outcome("b").Message)
			}
			s.pass().has("b", "192.0.2.0")
		}},
		{"a Service that asks for another pool moves when that has an address", func(s *fixture) {
			s.pool("blue", "192.0.2.1")
			red := s.pool("red", "192.0.2.9", func(p *lb.Pool) { p.Drain = true })
			s.service("a")
			s.pass().has("a", "192.0.2.1")
			s.edit("a", asksPools("red"))
			s.pass().has("a", "192.0.2.1")
			red.Drain = false
			s.pass().has("a", "192.0.2.9")
		}},
		{"a request that cannot be read takes nothing away", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", asks("192.0.2.7"))
			s.pass()
			s.edit("a", func(service *lb.Service) { service.Requested, service.RequestError = nil, errors.New("what is this") })
			s.pass().has("a", "192.0.2.7")
			s.says("a", ReasonRequestInvalid, "what is this")
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}

func TestCompute_DualStack(t *testing.T) {
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"families may come from different pools", func(s *fixture) {
			s.pool("four", "192.0.2.0/28")
			s.pool("six", "2001:db8::/64")
			s.service("a", dual(lb.RequireDualStack))
			s.pass().has("a", "192.0.2.0 2001:db8::")
		}},
		{"the order is that of the Service's families", func(s *fixture) {
			s.pool("both", "192.0.2.0/28 2001:db8::/64")
			s.service("a", dual(lb.RequireDualStack), func(service *lb.Service) { service.Families = []lb.Family{lb.IPv6, lb.IPv4} })
			s.pass().has("a", "2001:db8:: 192.0.2.0")
		}},
		{"RequireDualStack takes both or none", func(s *fixture) {
			s.pool("four", "192.0.2.0/28")
			s.service("a", dual(lb.RequireDualStack))
			s.pass().has("a", "")
			s.says("a", ReasonNoPool, "no IPv6 address")
		}},
		{"PreferDualStack takes one and adds the other when it can", func(s *fixture) {
			s.pool("four", "192.0.2.4/30")
			s.service("a", dual(lb.PreferDualStack))
			s.pass().has("a", "192.0.2.4")
			s.says("a", ReasonOneFamily, "no IPv6 address")
			if !s.outcome("a").Assigned {
				t.Error("it counts as without an address")
			}
			s.pool("six", "2001:db8::/64")
			s.pass().has("a", "192.0.2.4 2001:db8::")
			s.says("a", ReasonAssigned)
		}},
		{"a living Service gains a family and loses it again, and keeps the first", func(s *fixture) {
			s.pool("both", "192.0.2.0/28 2001:db8::/64")
			s.service("other")
			s.service("a")
			s.pass().has("a", "192.0.2.1")
			s.edit("a", dual(lb.RequireDualStack))
			s.pass().has("a", "192.0.2.1 2001:db8::")
			s.edit("a", families(lb.IPv4))
			s.pass().has("a", "192.0.2.1")
			s.edit("a", families(lb.IPv6))
			s.pass().has("a", "2001:db8::")
		}},
		{"a family that is added goes where the Service has it", func(s *fixture) {
			s.pool("four", "192.0.2.0/28")
			s.service("a", dual(lb.PreferDualStack), func(service *lb.Service) { service.Families = []lb.Family{lb.IPv6, lb.IPv4} })
			s.pass().has("a", "192.0.2.0")
			s.pool("six", "2001:db8::/64")
			s.pass().has("a", "2001:db8:: 192.0.2.0")
		}},
		{"one that comes to require both keeps what it has while it waits", func(s *fixture) {
			s.pool("four", "192.0.2.0/28")
			s.service("a")
			s.pass()
			s.edit("a", dual(lb.RequireDualStack))
			s.pass().has("a", "192.0.2.0")
			s.says("a", ReasonNoPool, "no IPv6 address", "until then it keeps 192.0.2.0")
		}},
		{"an address asked for in one family leaves the other to the pools", func(s *fixture) {
			s.pool("both", "192.0.2.0/28 2001:db8::/64")
			s.service("a", dual(lb.RequireDualStack), asks("192.0.2.9"))
			s.pass().has("a", "192.0.2.9 2001:db8::")
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}

func TestCompute_Sharing(t *testing.T) {
	local := func(s *lb.Service) { s.Local = true }
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"Services of one key and different ports have one address", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 81))
			s.service("other", shares("l", 82))
			s.pass().has("a", "192.0.2.0")
			s.has("b", "192.0.2.0")
			s.has("other", "192.0.2.1")
			if got := s.use("blue").IPv4.Assigned; got != 2 {
				t.Errorf("%d addresses assigned", got)
			}
		}},
		{"one port of one protocol serves once", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 80))
			s.service("c", shares("k", 80), func(service *lb.Service) { service.Ports[0].Protocol = "UDP" })
			s.pass().has("b", "192.0.2.1")
			s.has("c", "192.0.2.0")
		}},
		{"without a key nothing is shared, even if it is asked for", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", asks("192.0.2.0"))
			s.pass().says("b", ReasonTaken, "default/a")
		}},
		{"the traffic policy must be the same", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 81), local)
			s.pass().has("b", "192.0.2.1")
		}},
		{"under Local Services of other pods may share, and others under Cluster not", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80), local)
			s.service("b", shares("k", 81), local)
			s.service("c", shares("k", 82))
			s.pass().has("b", "192.0.2.0")
			s.has("c", "192.0.2.1")
		}},
		{"nobody of another namespace joins without leave, whether he asks or not", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("evil/b", shares("k", 443))
			s.service("evil/c", shares("k", 444), asks("192.0.2.0"))
			s.pass().has("a", "192.0.2.0")
			s.has("evil/b", "192.0.2.1")
			s.has("evil/c", "")
			s.says("evil/c", ReasonTaken, "a Service of another namespace")
		}},
		{"the first holder lets a namespace, or all, join", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80), func(service *lb.Service) { service.SharedNamespaces = []string{"red"} })
			s.service("red/b", shares("k", 81))
			s.service("evil/c", shares("k", 82))
			s.service("x", shares("all", 80), func(service *lb.Service) { service.SharedNamespaces = []string{"*"} })
			s.service("evil/y", shares("all", 81))
			s.pass().has("red/b", "192.0.2.0")
			s.has("evil/c", "192.0.2.1")
			s.has("evil/y", "192.0.2.2")
		}},
		{"one who joined cannot let others in", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80), func(service *lb.Service) { service.SharedNamespaces = []string{"red"} })
			s.service("red/b", shares("k", 81), func(service *lb.Service) { service.SharedNamespaces = []string{"*"} })
			s.service("evil/c", shares("k", 82), asks("192.0.2.0"))
			s.pass().has("red/b", "192.0.2.0")
			s.has("evil/c", "")
		}},
		{"who shares across namespaces already goes on", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("red/b", shares("k", 81), writes("192.0.2.0"))
			s.service("a", shares("k", 80), writes("192.0.2.0"))
			given := func(service *lb.Service) {
				service.Provenance = lb.Provenance{
					Class: "daymark.io/daymark", Allocations: []lb.Allocation{{Addr: netip.MustParseAddr("192.0.2.0"), Pool: "blue"}},
				}
			}
			s.edit("a", given)
			s.edit("red/b", given)
			s.pass().has("a", "192.0.2.0")
			s.has("red/b", "192.0.2.0")
		}},
		{"the one that may not share any more moves, and not its neighbours", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 81))
			s.pass()
			s.edit("b", shares("k", 80))
			s.passWithoutWriting()
			s.passWithoutWriting()
			s.pass().has("b", "192.0.2.1")
			s.has("a", "192.0.2.0")
		}},
		{"an address that the status of another Service shows too is not shared further", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80), shows("192.0.2.0"))
			s.service("other", shows("192.0.2.0"), func(service *lb.Service) { service.LoadBalancer = false })
			s.service("b", shares("k", 81))
			s.pass().has("a", "192.0.2.0")
			s.has("b", "192.0.2.1")
		}},
		{"an address that turned out to be a node's is not shared further", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.pass()
			s.nodes = []*lb.Node{{Name: "n1", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.0")}}}
			s.service("b", shares("k", 81))
			s.pass().has("a", "192.0.2.0")
			s.has("b", "192.0.2.1")
		}},
		{"a Service that waits gets in when it becomes possible", func(s *fixture) {
			s.pool("blue", "192.0.2.0")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 80))
			s.pass().has("b", "")
			s.edit("a", shares("k", 81))
			s.pass().has("b", "192.0.2.0")
			s.has("a", "192.0.2.0")
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}

func TestCompute_Stickiness(t *testing.T) {
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"all that is held is admitted before anything is given", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.1")
			s.service("old")
			s.service("young", shows("192.0.2.0"))
			s.pass().has("young", "192.0.2.0")
			s.has("old", "192.0.2.1")
		}},
		{"of two that hold one address the older keeps it", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("old", shows("192.0.2.3"))
			s.service("young", shows("192.0.2.3"))
			s.pass().has("old", "192.0.2.3")
			s.has("young", "192.0.2.0")
		}},
		{"an address of no pool stays until there is one in its place", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.pools["blue"].Drain = true
			s.service("a", shows("203.0.113.9"))
			s.pass().has("a", "203.0.113.9")
			s.says("a", ReasonNoPool, "its status keeps 203.0.113.9, which Daymark did not give")
			s.pools["blue"].Drain = false
			if s.compute(); len(s.plan.Assignments[0].Released) != 1 || !strings.Contains(s.plan.Assignments[0].Released[0].String(), "Daymark did not give it") {
				t.Errorf("releases %v", s.plan.Assignments[0].Released)
			}
			s.pass().has("a", "192.0.2.0")
		}},
		{"an address that somebody wrote is adopted, whatever its pool gives today", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.pool("theirs", "198.51.100.0/28", func(p *lb.Pool) { p.Namespaces = []string{"red"} })
			s.service("a", shows("198.51.100.3"))
			s.pass().has("a", "198.51.100.3")
		}},
		{"a pool under another name keeps the addresses where they are", func(s *fixture) {
			pool := s.pool("blue", "192.0.2.0/28")
			s.service("a")
			s.service("b")
			s.pass()
			delete(s.pools, "blue")
			delete(s.services, "a")
			pool.Name = "azure"
			s.pools["azure"] = pool
			s.pass().has("b", "192.0.2.1")
		}},
		{"a pool cut in two keeps the addresses where they are", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.3")
			for _, name := range []string{"a", "b", "c"} {
				s.service(name)
			}
			s.pass()
			s.pool("blue", "192.0.2.0-192.0.2.1")
			s.pool("rest", "192.0.2.2-192.0.2.3", priority(1))
			s.pass().has("a", "192.0.2.0")
			s.has("b", "192.0.2.1")
			s.has("c", "192.0.2.2")
		}},
		{"a pool that shrinks moves only what it does not contain any more", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.3")
			s.service("a")
			s.service("b")
			s.pass()
			s.pool("blue", "192.0.2.1-192.0.2.3")
			s.pass().has("a", "192.0.2.2")
			s.has("b", "192.0.2.1")
		}},
		{"what a pool would give today does not matter for what it gave", func(s *fixture) {
			pool := s.pool("blue", "192.0.2.0/28")
			s.service("a")
			s.pass()
			pool.AutoAssign, pool.Drain, pool.AvoidBuggyIPs, pool.Namespaces, pool.Priority = false, true, true, []string{"red"}, 9
			s.pool("green", "198.51.100.0/28")
			s.pass().has("a", "192.0.2.0")
			s.says("a", ReasonAssigned, "which does not serve the namespace any more")
		}},
		{"a Service of another class keeps its address to itself, and ours gives it back", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a")
			s.pass()
			s.edit("a", func(service *lb.Service) { service.Class = "example.com/other" })
			s.service("b")
			s.compute()
			if len(s.plan.Cleanups) != 1 || s.plan.Cleanups[0].Addresses[0].String() != "192.0.2.0" {
				t.Errorf("cleanups: %v", s.plan.Cleanups)
			}
			if o := s.outcome("b"); !strings.HasPrefix(o.Message, "192.0.2.1") {
				t.Errorf("b gets what the status of a still shows: %s", o.Message)
			}
		}},
		{"a Service that is no load balancer has nothing", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", func(service *lb.Service) { service.LoadBalancer = false })
			s.service("b")
			s.pass().has("b", "192.0.2.0")
			s.has("a", "")
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}
