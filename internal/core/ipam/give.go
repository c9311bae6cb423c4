package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// want is an address that a Service should get: a certain one, or any of a family.
type want struct {
	family lb.Family
	addr   netip.Addr
}

// complete gives a Service what it should have and does not: all that it asks for by address or nothing new, both
// families or nothing new where it requires both, and else what can be had.
func (p *pass) complete(a *Assignment) {
	s := a.Service
	if !a.awaiting && len(s.Requested) == 0 && s.RequestError == nil && len(a.Addresses) == len(s.Families) {
		return
	}
	if a.Refused = refusal(s); a.Refused != nil {
		return
	}
	p.asked, p.found = wants(p.asked[:0], a), p.found[:0]
	for _, w := range p.asked {
		if found, ok := p.find(a, w); ok {
			p.found = append(p.found, found)
		} else {
			a.Missing = append(a.Missing, p.explain(a, w))
		}
	}
	certain := slices.ContainsFunc(a.Missing, func(m Missing) bool { return m.Addr.IsValid() })
	if certain || len(a.Missing) > 0 && s.Policy == lb.RequireDualStack {
		return
	}
	p.grant(a)
}

// grant gives what was found, in place of what was kept for want of it.
func (p *pass) grant(a *Assignment) {
	if a.Addresses == nil {
		a.Addresses = p.cut(len(p.found))
	}
	for _, found := range p.found {
		p.hold(a, found)
	}
	if a.awaiting {
		a.Addresses = slices.DeleteFunc(a.Addresses, func(has Address) bool {
			if has.replaceable() && !a.misses(lb.FamilyOf(has.Addr)) {
				a.Lost = append(a.Lost, Loss{Addr: has.Addr, Why: has.Stays})
				return true
			}
			return false
		})
	}
	a.sort()
}

// sort brings the addresses of a Service in their order.
func (a *Assignment) sort() {
	if len(a.Addresses) > 1 {
		slices.SortStableFunc(a.Addresses, func(x, y Address) int { return rank(a.Service, x.Addr) - rank(a.Service, y.Addr) })
	}
}

// misses reports whether a Service is still to get an address of a family.
func (a *Assignment) misses(family lb.Family) bool {
	return slices.ContainsFunc(a.Missing, func(m Missing) bool { return m.Family == family })
}

// rank orders the addresses of a Service: by its families, then as it asked.
func rank(s *lb.Service, addr netip.Addr) int {
	return slices.Index(s.Families, lb.FamilyOf(addr))*(len(s.Requested)+2) + slices.Index(s.Requested, addr) + 1
}

// refusal says what is wrong with what a Service asks for, whatever pools there are.
func refusal(s *lb.Service) error {
	if s.RequestError != nil {
		return s.RequestError
	}
	for _, addr := range s.Requested {
		if family := lb.FamilyOf(addr); !s.Wants(family) {
			return fmt.Errorf("the requested address %s is %s, and the Service has only %s", addr, family, strings.Join(lb.Strings(s.Families), ", "))
		}
	}
	return nil
}

// wants appends what a Service should have and does not.
func wants(list []want, a *Assignment) []want {
	s := a.Service
	for _, family := range s.Families {
		if !requestsFamily(s, family) {
			settled := func(has Address) bool { return lb.FamilyOf(has.Addr) == family && !has.replaceable() }
			if !slices.ContainsFunc(a.Addresses, settled) {
				list = append(list, want{family: family})
			}
			continue
		}
		for _, addr := range s.Requested {
			has := func(has Address) bool { return has.Addr == addr }
			if lb.FamilyOf(addr) == family && !slices.ContainsFunc(a.Addresses, has) {
				list = append(list, want{family, addr})
			}
		}
	}
	return list
}
