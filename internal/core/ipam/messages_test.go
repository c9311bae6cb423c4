package ipam

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestOutcome_Messages(t *testing.T) {
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"the words for one who waits do not change when another gives an address back", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.2", func(p *lb.Pool) { p.ReuseDelay = time.Minute })
			for _, name := range []string{"a", "b", "c", "waits"} {
				s.service(name)
			}
			s.pass()
			before := s.outcome("waits").Message
			for _, gone := range []string{"a", "b"} {
				delete(s.services, gone)
				s.now = s.now.Add(time.Second)
				if s.pass(); s.outcome("waits").Message != before {
					t.Errorf("it said  %q\nand says %q", before, s.outcome("waits").Message)
				}
			}
			s.says("waits", ReasonPoolExhausted, "pool blue is exhausted, and lets an address that is given back rest for 1m0s")
			if count := s.use("blue").IPv4.String(); !strings.Contains(count, "2 resting until") {
				s.t.Errorf("the pool says %q", count)
			}
		}},
		{"nor when a Service, a node or a reservation comes or goes", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.3")
			for _, name := range []string{"a", "b", "c", "d", "waits"} {
				s.service(name)
			}
			s.pass()
			before := s.outcome("waits").Message
			for _, change := range []func(){
				// It terminates or becomes another type, and its status is not cleaned yet.
				func() { s.services["a"].LoadBalancer, s.services["a"].Provenance = false, lb.Provenance{} },
				func() { s.nodes = []*lb.Node{{Name: "n1", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.0")}}} },
				func() {
					s.reservations = []*lb.Reservation{{Name: "r", Ranges: ranges(s.t, "192.0.2.1"), Service: lb.Key{Namespace: "x", Name: "y"}}}
					delete(s.services, "b")
				},
			} {
				change()
				if s.passWithoutWriting(); s.outcome("waits").Message != before { // what is freed by writing is given to it
					s.t.Errorf("it said  %q\nand says %q", before, s.outcome("waits").Message)
				}
			}
		}},
		{"a pool counts those who wait for it, and not one that is full while another serves them", func(s *fixture) {
			s.pool("full", "192.0.2.0")
			s.pool("free", "192.0.2.8-192.0.2.15")
			named := s.pool("named", "192.0.2.16", func(p *lb.Pool) { p.AutoAssign = false })
			for _, name := range []string{"a", "b"} {
				s.service(name)
			}
			for _, name := range []string{"c", "waits", "waits too"} {
				s.service(name).RequestedPools = []string{named.Name}
			}
			s.pool("six", "2001:db8::1")
			s.service("d").Families = []lb.Family{lb.IPv6}
			prefers := s.service("prefers")
			prefers.Families, prefers.Policy = []lb.Family{lb.IPv4, lb.IPv6}, lb.PreferDualStack
			s.pass()
			s.says("prefers", ReasonOneFamily, "pool six is exhausted")
			for name, want := range map[string]int64{"full": 0, "free": 0, "named": 2} {
				if got := s.use(name).IPv4.Waiting; got != want {
					s.t.Errorf("%d wait for %s, want %d", got, name, want)
				}
			}
			if got := s.use("six").IPv6.Waiting; got != 0 {
				s.t.Errorf("%d wait for an address that a Service only prefers", got)
			}
		}},
		{"a pool whose free addresses are nodes' own says so", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.1")
			s.nodes = []*lb.Node{{
				Name: "n1", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.0")}, External: []netip.Addr{netip.MustParseAddr("192.0.2.1")},
			}}
			s.service("a")
			s.service("b", asks("192.0.2.1"))
			s.pass().says("a", ReasonPoolExhausted, "pool blue is exhausted")
			s.says("b", ReasonTaken, "node n1's own")
			if got := s.use("blue"); len(got.Nodes) != 2 || got.IPv4.String() != "0 in use, 2 nodes' own" {
				s.t.Errorf("the pool says %q and knows of %v", got.IPv4, got.Nodes)
			}
		}},
		{"a pool whose free addresses are in the status of others says so", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.1")
			s.nodes = []*lb.Node{{Name: "n1", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}}
			s.service("other", shows("192.0.2.0"), func(service *lb.Service) { service.Class = "example.com/other" })
			s.service("a")
			s.service("b", asks("192.0.2.0"))
			s.pass().says("a", ReasonPoolExhausted, "pool blue is exhausted")
			if count := s.use("blue").IPv4.String(); count != "0 in use, 1 nodes' own, 1 in the status of Services that are not ours" {
				s.t.Errorf("the pool says %q", count)
			}
			s.says("b", ReasonTaken, "pool blue does not give it, it is in the status of Service default/other")
		}},
		{"one who shows an address is named even if it could be shared with him", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.1")
			s.service("other", shares("k", 80), shows("192.0.2.0"), func(service *lb.Service) { service.LoadBalancer = false })
			s.service("a", shares("k", 81), asks("192.0.2.0"))
			s.pass().says("a", ReasonTaken, "default/other")
		}},
		{"a reservation goes before an address that rests", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28", func(p *lb.Pool) { p.ReuseDelay = time.Minute })
			s.service("a")
			s.pass()
			delete(s.services, "a")
			s.reservations = []*lb.Reservation{{Name: "r", Ranges: ranges(s.t, "192.0.2.7"), Service: lb.Key{Namespace: "default", Name: "a"}}}
			s.pass()
			s.service("a")
			s.pass().has("a", "192.0.2.7")
		}},
		{"a message names as many pools as one can read, and counts the rest", func(s *fixture) {
			for i := range 300 {
				s.pool(fmt.Sprintf("pool-%03d", i), fmt.Sprintf("192.0.%d.%d", 2+i/200, i%200))
			}
			s.service("a", families(lb.IPv6))
			s.service("b", families(lb.IPv6), asksPools("pool-003", "pool-001"))
			s.pass()
			if m := s.outcome("a").Message; len(m) > 4096 || !strings.Contains(m, "pool pool-000 has no IPv6 addresses, pool pool-001") || !strings.HasSuffix(m, " more pools") {
				s.t.Errorf("it says %q (%d bytes)", m, len(m))
			}
			if m := s.outcome("b").Message; m != "no IPv6 address: pool pool-003 has no IPv6 addresses, pool pool-001 has no IPv6 addresses" {
				s.t.Errorf("it says %q", m)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}
