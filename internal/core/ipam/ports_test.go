package ipam

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// conflicts are the ports in conflict of a Service, as address:port/protocol.
func (s *fixture) conflicts(name string) string {
	for i := range s.plan.Assignments {
		if a := &s.plan.Assignments[i]; key(a.Service) == name {
			var list []string
			for c := range maps.Keys(a.PortConflicts) {
				list = append(list, c.Addr.String()+":"+c.Port.String())
			}
			slices.Sort(list)
			return strings.Join(list, " ")
		}
	}
	return "there is no plan for " + name
}

func ports(list ...lb.Port) func(*lb.Service) {
	return func(s *lb.Service) { s.Ports = list }
}

func TestPortConflicts(t *testing.T) {
	web, dns := lb.Port{Protocol: "TCP", Number: 80}, lb.Port{Protocol: "UDP", Number: 53}
	noBalancer := func(s *lb.Service) { s.LoadBalancer = false }
	for _, test := range []struct {
		name  string
		other func(*fixture)
		want  string
	}{
		{"externalIPs of another Service with the same port", func(s *fixture) {
			s.service("other", noBalancer, external("192.0.2.1"), ports(web))
		}, "192.0.2.1:80/TCP"},
		{"and of several", func(s *fixture) {
			s.service("other", noBalancer, external("192.0.2.1"), ports(web, dns))
			s.service("x/more", noBalancer, external("192.0.2.1"), ports(web))
		}, "192.0.2.1:53/UDP 192.0.2.1:80/TCP"},
		{"with another port", func(s *fixture) {
			s.service("other", noBalancer, external("192.0.2.1"), ports(lb.Port{Protocol: "TCP", Number: 81}))
		}, ""},
		{"with the same number of another protocol", func(s *fixture) {
			s.service("other", noBalancer, external("192.0.2.1"), ports(lb.Port{Protocol: "SCTP", Number: 80}))
		}, ""},
		{"at another address", func(s *fixture) { s.service("other", noBalancer, external("192.0.2.2"), ports(web)) }, ""},
		{"its own externalIPs", func(s *fixture) { s.edit("web", external("192.0.2.1")) }, ""},
		{"another provider shows the address in the status of its Service", func(s *fixture) {
			s.service("other", func(s *lb.Service) { s.Class = "example.com/other" }, shows("192.0.2.1"), ports(dns))
		}, "192.0.2.1:53/UDP"},
		{"another Service of ours shares the address, and has other ports", func(s *fixture) {
			s.edit("web", func(s *lb.Service) { s.SharingKey = "key" })
			s.service("other", shares("key", 81))
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newFixture(t)
			s.pool("blue", "192.0.2.1/32")
			s.service("web", ports(web, dns))
			s.pass()
			test.other(s)
			s.pass()
			s.has("web", "192.0.2.1")
			if got := s.conflicts("web"); got != test.want {
				t.Errorf("in conflict are %q, want %q", got, test.want)
			}
		})
	}
}
