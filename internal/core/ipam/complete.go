package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// request is one address that a Service should get: a certain one, or any one of a family.
type request struct {
	family lb.Family
	// addr is the certain address; the zero Addr when any will do.
	addr netip.Addr
}

// complete gives a Service what it should have and does not have. A Service that requests addresses gets all of them or
// nothing new; one that requires both families gets both or nothing new; any other gets what is available.
func (p *pass) complete(a *Assignment) {
	if a.whole {
		return
	}
	s := a.Service
	if a.RequestError = checkRequest(s); a.RequestError != nil {
		return
	}
	p.requests, p.pending = openRequests(p.requests[:0], a), p.pending[:0]
	for _, r := range p.requests {
		if address, ok := p.find(a, r); ok {
			p.pending = append(p.pending, address)
		} else {
			a.Missing = append(a.Missing, p.explain(a, r))
		}
	}
	certain := slices.ContainsFunc(a.Missing, func(m Missing) bool { return m.Addr.IsValid() })
	if certain || len(a.Missing) > 0 && s.Policy == lb.RequireDualStack {
		return
	}
	p.assignPending(a)
}

// assignPending gives a Service the addresses that were found for it, and releases those that they replace.
func (p *pass) assignPending(a *Assignment) {
	if a.Addresses == nil {
		a.Addresses = p.newAddresses(len(p.pending))
	}
	for _, address := range p.pending {
		p.hold(a, address)
	}
	if a.replacing {
		a.Addresses = slices.DeleteFunc(a.Addresses, func(has Address) bool {
			if has.replaceable() && !a.misses(lb.FamilyOf(has.Addr)) {
				a.Released = append(a.Released, Release{Addr: has.Addr, Cause: has.KeptDespite})
				return true
			}
			return false
		})
	}
	a.sort()
}

// sort puts the addresses of a Service in order.
func (a *Assignment) sort() {
	if len(a.Addresses) > 1 {
		slices.SortStableFunc(a.Addresses, func(x, y Address) int { return rank(a.Service, x.Addr) - rank(a.Service, y.Addr) })
	}
}

// misses reports whether a Service still lacks an address of a family.
func (a *Assignment) misses(family lb.Family) bool {
	return slices.ContainsFunc(a.Missing, func(m Missing) bool { return m.Family == family })
}

// rank orders the addresses of a Service: by its families, then by its request.
func rank(s *lb.Service, addr netip.Addr) int {
	return slices.Index(s.Families, lb.FamilyOf(addr))*(len(s.Requested)+2) + slices.Index(s.Requested, addr) + 1
}

// checkRequest returns what is wrong with a Service's request, whatever pools there are; nil when nothing is.
func checkRequest(s *lb.Service) error {
	if s.RequestError != nil {
		return s.RequestError
	}
	for _, addr := range s.Requested {
		if family := lb.FamilyOf(addr); !s.Wants(family) {
			return fmt.Errorf("the requested address %s is %s, and the Service has only %s",
				addr, family, strings.Join(lb.Strings(s.Families), ", "))
		}
	}
	return nil
}

// openRequests appends to a list what a Service should have and does not have.
func openRequests(list []request, a *Assignment) []request {
	s := a.Service
	for _, family := range s.Families {
		if !requestsFamily(s, family) {
			final := func(has Address) bool { return lb.FamilyOf(has.Addr) == family && !has.replaceable() }
			if !slices.ContainsFunc(a.Addresses, final) {
				list = append(list, request{family: family})
			}
			continue
		}
		for _, addr := range s.Requested {
			has := func(has Address) bool { return has.Addr == addr }
			if lb.FamilyOf(addr) == family && !slices.ContainsFunc(a.Addresses, has) {
				list = append(list, request{family, addr})
			}
		}
	}
	return list
}
