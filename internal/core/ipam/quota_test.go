package ipam

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestCompute_MaxPerNamespace(t *testing.T) {
	rests := func(delay time.Duration) func(*lb.Pool) { return func(p *lb.Pool) { p.ReuseDelay = delay } }
	most := func(n int) func(*lb.Pool) { return func(p *lb.Pool) { p.MaxPerNamespace = n } }
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"a Service that is handed over to another provider counts as long as it shows the address", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", most(1))
			s.service("a")
			s.pass()
			s.edit("a", func(service *lb.Service) { service.Provider = "metallb" })
			s.pass().has("a", "192.0.2.0")
			s.service("b")
			s.service("red/c")
			s.pass().says("b", ReasonOverQuota)
			s.has("red/c", "192.0.2.1")
			delete(s.services, "a")
			s.pass().has("b", "192.0.2.0")
		}},
		{"both families of one Service count", func(s *fixture) {
			s.pool("p", "192.0.2.0/28 2001:db8::/64", most(1))
			s.service("a", dual(lb.RequireDualStack))
			s.pass().has("a", "")
			s.says("a", ReasonOverQuota, "no IPv6 address", "1 addresses at most")
		}},
		{"one who prefers two families has one, and the next Service does not think the pool is closed to its namespace", func(s *fixture) {
			s.pool("p", "192.0.2.0/28 2001:db8::/64", most(2))
			s.service("one")
			s.service("a", dual(lb.PreferDualStack))
			s.service("red/b", dual(lb.PreferDualStack))
			s.pass().has("a", "192.0.2.1")
			s.says("a", ReasonOneFamily, "no IPv6 address", "2 addresses at most")
			s.has("red/b", "192.0.2.2 2001:db8::")
		}},
		{"several requested addresses of one Service count", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", most(1))
			s.service("a", asks("192.0.2.1", "192.0.2.2", "192.0.2.3"))
			s.pass().has("a", "")
			s.says("a", ReasonOverQuota)
		}},
		{"two requested take the place of two", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", most(2))
			s.service("a", asks("192.0.2.1", "192.0.2.2"))
			s.pass().has("a", "192.0.2.1 192.0.2.2")
			s.edit("a", asks("192.0.2.3", "192.0.2.4"))
			s.pass().has("a", "192.0.2.3 192.0.2.4")
			s.edit("a", asks("192.0.2.5", "192.0.2.6", "192.0.2.7"))
			s.pass().has("a", "192.0.2.3 192.0.2.4")
			s.says("a", ReasonOverQuota)
		}},
		{"an address that a neighbour goes on sharing is not given back", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", most(1))
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 81))
			s.pass().has("b", "192.0.2.0")
			s.edit("a", asks("192.0.2.7"))
			s.pass().has("a", "192.0.2.0")
			s.says("a", ReasonOverQuota)
			delete(s.services, "b")
			s.pass().has("a", "192.0.2.7")
		}},
		{"one that joins its neighbours on two addresses uses up nothing", func(s *fixture) {
			s.pool("p", "192.0.2.0/28 2001:db8::/64", most(2))
			s.service("a", shares("k", 80), dual(lb.RequireDualStack))
			s.service("b", shares("k", 81), dual(lb.RequireDualStack))
			s.pass().has("a", "192.0.2.0 2001:db8::")
			s.has("b", "192.0.2.0 2001:db8::")
		}},
		{"what rests counts: who creates and deletes again and again has no more rest than he may hold", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", most(2), rests(time.Hour))
			for range 16 {
				s.service("evil/a")
				s.pass()
				delete(s.services, "evil/a")
				s.pass()
				s.now = s.now.Add(time.Second)
				s.service("evil/b", func(service *lb.Service) { service.UID = types.UID(s.now.String()) })
				s.pass()
				delete(s.services, "evil/b")
				s.pass()
			}
			for i := range 16 {
				s.service(fmt.Sprintf("evil/c%d", i))
				s.pass()
				delete(s.services, fmt.Sprintf("evil/c%d", i))
				s.pass()
			}
			if n := s.use("p").IPv4.ReuseDelayed; n != 2 {
				s.t.Errorf("%d addresses rest", n)
			}
			s.service("evil/d")
			s.service("good")
			s.pass().has("good", "192.0.2.2")
			s.says("evil/d", ReasonOverQuota, "counts those that rest")
			s.now = s.now.Add(2 * time.Hour)
			s.pass().has("evil/d", "192.0.2.0")
		}},
		{"a Service takes back what rests for it, though its namespace is at its limit", func(s *fixture) {
			s.pool("p", "192.0.2.0/28 2001:db8::/64", most(2), rests(time.Hour))
			s.service("a", dual(lb.RequireDualStack))
			s.pass().has("a", "192.0.2.0 2001:db8::")
			delete(s.services, "a")
			s.pass()
			s.service("a", dual(lb.RequireDualStack))
			s.pass().has("a", "192.0.2.0 2001:db8::")
			s.service("b")
			s.pass().says("b", ReasonOverQuota)
		}},
		{"what is taken back counts once, in the pass that gives it back too", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", most(2), rests(time.Hour))
			s.service("a")
			s.pass()
			delete(s.services, "a")
			s.pass()
			s.service("a")
			s.service("b")
			s.compute()
			for i := range s.plan.Assignments {
				if a := &s.plan.Assignments[i]; len(a.Addresses) != 1 {
					s.t.Errorf("%s has %v: %s", a.Service.Key, a.Addresses, a.Outcome().Message)
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}
