package ipam

import (
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestCompute_StatusEditedByHand(t *testing.T) {
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"the one whose status was edited moves back, and not the innocent one", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("old")
			s.service("young")
			s.pass()
			s.edit("old", writes("192.0.2.1"))
			s.pass().has("young", "192.0.2.1")
			s.has("old", "192.0.2.0")
		}},
		{"an address written before its own is given up, and its own stays", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a")
			s.pass()
			s.edit("a", writes("192.0.2.5", "192.0.2.0"))
			s.pass().has("a", "192.0.2.0")
		}},
		{"a status that was emptied gets its address back, not a lower one", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("a")
			s.service("b")
			s.pass()
			delete(s.services, "a")
			s.edit("b", writes())
			s.pass().has("b", "192.0.2.1")
		}},
		{"both families stay in their order", func(s *fixture) {
			s.pool("both", "192.0.2.0/28 2001:db8::/64")
			s.service("a", dual(lb.RequireDualStack))
			s.pass()
			s.edit("a", writes("2001:db8::", "192.0.2.0"))
			s.pass().has("a", "192.0.2.0 2001:db8::")
		}},
		{"one who shares is not driven out by another of the same key", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			s.service("intruder", shares("k", 80))
			s.service("a", shares("k", 80))
			s.service("b", shares("k", 81), asks("192.0.2.1"))
			s.pass().has("a", "192.0.2.1")
			s.edit("intruder", writes("192.0.2.1"))
			s.pass().has("a", "192.0.2.1")
			s.has("b", "192.0.2.1")
			s.has("intruder", "192.0.2.0")
		}},
		{"what was planned and never written is no right", func(s *fixture) {
			s.pool("blue", "192.0.2.0")
			s.service("a")
			s.service("b")
			s.passWithoutWriting()
			s.edit("b", writes("192.0.2.0"))
			s.pass().has("b", "192.0.2.0")
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}

// writes edits the addresses in a status, as somebody with kubectl does, and leaves the conditions.
func writes(addresses ...string) func(*lb.Service) {
	return func(s *lb.Service) {
		provenance := s.Provenance
		shows(addresses...)(s)
		s.Provenance = provenance
	}
}
