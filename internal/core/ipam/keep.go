package ipam

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// keepHeld lets every Service keep the addresses in its status that it may keep. Addresses that were held in the pass before
// come first: so an address that somebody writes into a status never drives out the Service that holds it. Among those, the
// Services whose sharing terms did not change come first: so the Service that changed has to move, and not its neighbors.
func (p *pass) keepHeld() {
	p.linkPrevious()
	var changed, others []*Assignment
	for i := range p.plan.Assignments {
		a := &p.plan.Assignments[i]
		switch {
		case len(a.Service.Ingress) == 0:
		case a.previous == nil:
			others = append(others, a)
		case sharingChanged(a.previous.Service, a.Service):
			changed = append(changed, a)
		case !p.keepShown(a, true):
			others = append(others, a)
		}
	}
	for _, a := range changed {
		if !p.keepShown(a, true) {
			others = append(others, a)
		}
	}
	for _, a := range others {
		p.keepShown(a, false)
	}
}

// keepShown decides about the addresses in a status that were held in the pass before (held), or about those that were not.
// It reports whether those are all addresses in the status.
func (p *pass) keepShown(a *Assignment, held bool) (all bool) {
	s := a.Service
	if a.Addresses == nil {
		a.Addresses = p.newAddresses(max(len(s.Ingress), len(s.Families), len(s.Requested)))
	}
	all = true
	for i, addr := range s.Ingress {
		switch {
		case slices.Contains(s.Ingress[:i], addr):
		case a.held(addr) == held:
			p.keepOrRelease(a, addr)
		default:
			all = false
		}
	}
	a.sort()
	return all
}

func (p *pass) keepOrRelease(a *Assignment, addr netip.Addr) {
	address, release := p.mayKeep(a, addr)
	if release.Cause != Allowed {
		a.Released = append(a.Released, release)
		return
	}
	p.hold(a, address)
	a.replacing = a.replacing || address.replaceable()
}

// mayKeep returns the address as a Service keeps it. If the Service may not keep it, the Release has a Cause.
func (p *pass) mayKeep(a *Assignment, addr netip.Addr) (Address, Release) {
	s := a.Service
	release := func(cause Cause) (Address, Release) { return Address{}, Release{Addr: addr, Cause: cause} }
	from := p.world.Pools.SourceOf(s, addr)
	if from == nil {
		return release(NotInPool)
	}
	if !s.Wants(lb.FamilyOf(addr)) {
		return release(FamilyMismatch)
	}
	pool := p.byPool[from]
	if !slices.Contains(s.Pools, from.Name) {
		// Somebody edited the status, or the pool has another name now. The address may stay where this pool serves the Service.
		if cause := p.selectionCause(pool, a); cause != Allowed {
			return release(cause)
		}
	}
	if p.surplus(a, addr) {
		return release(Surplus)
	}
	if other := p.allocations.conflict(addr, s); other != nil {
		return Address{}, Release{addr, Taken, other.Key, other.Key.Namespace != s.Key.Namespace}
	}
	return Address{addr, from, p.keptDespite(pool, a, addr)}, Release{}
}

// surplus reports whether a Service has its one address of a family already. A Service that requests certain addresses may
// have more, and keeps a wrong one until it has the right ones. A Service whose request cannot be read keeps all it has.
func (p *pass) surplus(a *Assignment, addr netip.Addr) bool {
	family := lb.FamilyOf(addr)
	if a.Service.RequestError != nil || requestsFamily(a.Service, family) {
		return false
	}
	return slices.ContainsFunc(a.Addresses, func(has Address) bool { return lb.FamilyOf(has.Addr) == family })
}

// keptDespite returns why a pool would not give an address today that the Service keeps, or Allowed.
func (p *pass) keptDespite(pool *pool, a *Assignment, addr netip.Addr) Cause {
	s := a.Service
	switch {
	case requestsFamily(s, lb.FamilyOf(addr)) && !slices.Contains(s.Requested, addr):
		return OtherAddressRequested
	case len(s.RequestedPools) > 0 && !slices.Contains(s.RequestedPools, pool.Name) && !slices.Contains(s.Requested, addr):
		return OtherPoolRequested
	case pool.Closed() || pool.Err != nil && !pool.Contains(addr):
		return PoolInvalid
	}
	return p.selectionCause(pool, a)
}

// requestsFamily reports whether a Service requests certain addresses of a family.
func requestsFamily(s *lb.Service, family lb.Family) bool {
	return s.RequestError == nil &&
		slices.ContainsFunc(s.Requested, func(addr netip.Addr) bool { return lb.FamilyOf(addr) == family })
}
