package ipam

import (
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestCompute_Transitions changes Services and pools that are in use.
func TestCompute_Transitions(t *testing.T) {
	swap := func(s *lb.Service) { s.Families = []lb.Family{lb.IPv6, lb.IPv4} }
	local := func(s *lb.Service) { s.Local = true }
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"from both families to one, and back by the way of preferring", func(s *fixture) {
			s.pool("both", "192.0.2.0/28 2001:db8::/64")
			s.service("a", dual(lb.RequireDualStack))
			s.pass().has("a", "192.0.2.0 2001:db8::")
			s.edit("a", families(lb.IPv6))
			s.pass().has("a", "2001:db8::")
			s.edit("a", dual(lb.PreferDualStack), swap)
			s.pass().has("a", "2001:db8:: 192.0.2.0")
			s.edit("a", dual(lb.RequireDualStack), swap)
			s.pass().has("a", "2001:db8:: 192.0.2.0")
		}},
		{"one that preferred both and had one comes to require both: it keeps the one and waits", func(s *fixture) {
			s.pool("four", "192.0.2.0/28")
			s.service("a", dual(lb.PreferDualStack))
			s.pass().has("a", "192.0.2.0")
			s.edit("a", dual(lb.RequireDualStack))
			s.pass().has("a", "192.0.2.0")
			s.says("a", ReasonNoPool, "until then it keeps 192.0.2.0")
			s.pool("six", "2001:db8::/64")
			s.pass().has("a", "192.0.2.0 2001:db8::")
		}},
		{"the one that came later moves when the first stops sharing", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 81))
			s.pass()
			s.edit("a", shares("", 80))
			s.pass().has("a", "192.0.2.0")
			s.has("b", "192.0.2.1")
		}},
		{"the one that came later moves when it stops sharing, though it is the older", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", asks("192.0.2.9"))
			s.service("b", shares("k", 81))
			s.pass()
			s.edit("a", shares("k", 80), asks("192.0.2.0"))
			s.pass().has("a", "192.0.2.0")
			s.edit("a", shares("", 80), asks())
			s.pass().has("b", "192.0.2.0")
			s.has("a", "192.0.2.1")
		}},
		{"the one that takes another key moves, and back again when it takes the first", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 81))
			s.service("c", shares("k", 82))
			s.pass()
			s.edit("b", shares("l", 81))
			s.pass().has("a", "192.0.2.0")
			s.has("c", "192.0.2.0")
			s.has("b", "192.0.2.1")
			s.edit("b", shares("k", 81), asks("192.0.2.0"))
			s.pass().has("b", "192.0.2.0")
		}},
		{"the one that came later moves when the traffic policy of either changes", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 81))
			s.pass()
			s.edit("a", local)
			s.pass().has("a", "192.0.2.0")
			s.has("b", "192.0.2.1")
		}},
		{"the first one adds the port of a later one: the later one moves", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 443))
			s.service("c", shares("k", 8443))
			s.pass()
			s.edit("a", func(service *lb.Service) {
				service.Ports = append(service.Ports, lb.Port{Protocol: "TCP", Number: 443})
			})
			s.pass().has("a", "192.0.2.0")
			s.has("c", "192.0.2.0")
			s.has("b", "192.0.2.1")
		}},
		{"who came first is known after a restart, though the later one is the older", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("old", asks("192.0.2.9"))
			s.service("first", shares("k", 80))
			s.pass()
			s.edit("old", shares("k", 443), asks("192.0.2.0"))
			s.pass().has("old", "192.0.2.0")
			s.memory = Memory{}
			s.edit("first", func(service *lb.Service) {
				service.Ports = append(service.Ports, lb.Port{Protocol: "TCP", Number: 443})
			})
			s.edit("old", asks())
			s.pass().has("first", "192.0.2.0")
			s.has("old", "192.0.2.1")
		}},
		{"when the first one goes, another of them is the first", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 81))
			s.service("c", shares("k", 82))
			s.pass()
			delete(s.services, "a")
			s.pass()
			s.edit("b", shares("k", 82))
			s.pass().has("b", "192.0.2.0")
			s.has("c", "192.0.2.1")
		}},
		{"one that asks for a shared address waits for the port, and gets in when it is free", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 81))
			s.service("c", shares("k", 81), asks("192.0.2.0"))
			s.pass().says("c", ReasonTaken, "default/b")
			s.edit("b", shares("k", 82))
			s.pass().has("c", "192.0.2.0")
			s.has("b", "192.0.2.0")
			s.has("a", "192.0.2.0")
		}},
		{"one pool of those asked for fills up, and the next is used", func(s *fixture) {
			s.pool("blue", "192.0.2.0")
			s.pool("red", "192.0.2.8/30", priority(1))
			for _, name := range []string{"a", "b"} {
				s.service(name, asksPools("blue", "red"))
			}
			s.pass().has("a", "192.0.2.0")
			s.has("b", "192.0.2.8")
			delete(s.services, "a")
			s.pass().has("b", "192.0.2.8") // what it has is one of those it asks for
		}},
		{"any of several serviceSelectors will do", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", func(p *lb.Pool) { p.ServiceSelectors = append(selects("app", "web"), selects("app", "db")...) })
			for _, app := range []string{"web", "db", "mail"} {
				s.service(app, func(service *lb.Service) { service.Labels = lb.NewLabels(map[string]string{"app": app}) })
			}
			s.pass().has("web", "192.0.2.0")
			s.has("db", "192.0.2.1")
			s.says("mail", ReasonNoPool, "other labels")
		}},
		{"available is what is not excluded, reserved, resting or in use", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", func(p *lb.Pool) { p.Exclude, p.ReuseDelay = ranges(s.t, "192.0.2.14/31"), time.Minute })
			s.reservations = []*lb.Reservation{{Name: "r", Ranges: ranges(s.t, "192.0.2.8-192.0.2.10 192.0.2.15"), Service: lb.Key{Namespace: "default", Name: "x"}}}
			s.service("a")
			s.service("b")
			s.service("c")
			s.pass()
			delete(s.services, "c")
			s.pass()
			if c := s.use("p").IPv4; c.Assigned != 2 || c.Available.Int64() != 8 || c.Reserved.Int64() != 3 || c.ReuseDelayed != 1 {
				s.t.Errorf("%d available: %s", c.Available, c)
			}
			s.pools["p"].Drain = true
			if s.pass(); s.use("p").IPv4.Available.Sign() != 0 {
				s.t.Errorf("a pool that is drained has %d", s.use("p").IPv4.Available)
			}
		}},
		{"when the pool is deleted before the class changes, its addresses are given back all the same", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a")
			s.pass()
			delete(s.pools, "blue")
			s.edit("a", func(service *lb.Service) { service.Class = "example.com/other" })
			if s.compute(); len(s.plan.Cleanups) != 1 || len(s.plan.Cleanups[0].Addresses) != 1 {
				s.t.Errorf("cleanups: %v", s.plan.Cleanups)
			}
		}},
		{"an address that another controller wrote meanwhile is left to it", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a")
			s.pass()
			s.edit("a", writes("203.0.113.1"), func(service *lb.Service) { service.Class = "example.com/other" })
			if s.compute(); len(s.plan.Cleanups) != 1 || len(s.plan.Cleanups[0].Addresses) != 0 {
				s.t.Errorf("cleanups: %v", s.plan.Cleanups)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}
