package ipam

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// answers to a Service after a pass, a line for each pool.
func (s *fixture) answers(name string) string {
	s.t.Helper()
	a, answers, ok := Consider(s.world(), s.services[name].Key)
	if !ok {
		s.t.Fatalf("there is no Service %s", name)
	}
	if got, want := a.Outcome(), s.outcome(name); got != want {
		s.t.Errorf("Consider says %+v, and Compute %+v", got, want)
	}
	var lines []string
	for _, answer := range answers {
		lines = append(lines, fmt.Sprintf("%s %s %v %s", answer.Pool, answer.Cause, lb.Strings(answer.Given), answer.Text))
	}
	return strings.Join(lines, "\n")
}

func TestConsider_EveryPoolAnswers(t *testing.T) {
	requested := func(addr string) func(*lb.Service) {
		return func(s *lb.Service) { s.Requested = []netip.Addr{netip.MustParseAddr(addr)} }
	}
	s := newFixture(t)
	s.pool("lan", "192.0.2.200-192.0.2.201")
	s.pool("own", "198.51.100.0/30", func(p *lb.Pool) { p.AutoAssign = false })
	s.pool("six", "2001:db8::/64")
	s.service("first")
	s.service("second")
	s.service("third")
	s.service("named", func(s *lb.Service) { s.RequestedPools = []string{"own", "gold"} })
	s.service("taken", requested("192.0.2.200"))
	s.service("nowhere", requested("203.0.113.1"))
	s.pass()
	for _, test := range []struct{ service, want string }{
		{"first", "lan Exhausted [192.0.2.200] is exhausted\nown AutoAssignOff [] serves only Services that ask for it\nsix FamilyMismatch [] has no IPv4 addresses"},
		{"third", "lan Exhausted [] is exhausted\nown AutoAssignOff [] serves only Services that ask for it\nsix FamilyMismatch [] has no IPv4 addresses"},
		{"named", "own Allowed [198.51.100.0] \ngold NoSuchPool [] does not exist"},
		{"taken", "lan Taken [] has given it to Service default/first\nown NotInPool [] does not contain it\nsix NotInPool [] does not contain it"},
		{"nowhere", "lan NotInPool [] does not contain it\nown NotInPool [] does not contain it\nsix NotInPool [] does not contain it"},
	} {
		if got := s.answers(test.service); got != test.want {
			t.Errorf("%s is answered\n%s\nwant\n%s", test.service, got, test.want)
		}
	}
	if _, _, ok := Consider(s.world(), lb.Key{Namespace: "default", Name: "none"}); ok {
		t.Error("a Service that is not there is answered")
	}
}
