package ipam

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// claim is what a Service's right to an address in its status rests on. The first comes first.
type claim uint8

const (
	// held: the Service held the address in the pass before, the first of those that share it.
	held claim = iota
	// joined: the Service held the address in the pass before, and had joined another.
	joined
	// given: the provenance of the Service says that Daymark gave it the address, the first of those that share it.
	given
	// givenJoined: the same for a Service that had joined another.
	givenJoined
	// foreign: somebody else wrote the address.
	foreign
)

// keepHeld lets every Service keep the addresses in its status that it may keep, in the order of claims: so an address that
// somebody writes into a status never drives out the Service that holds it, and of those that share an address the one that
// came first never moves for one that came later. Among those that joined, the Services whose sharing terms did not change
// come first: so the Service that changed has to move, and not its neighbors.
func (p *pass) keepHeld() {
	var open, changed []*Assignment
	for _, a := range p.active {
		switch {
		case len(a.Service.Ingress) == 0, p.keepShown(a, held):
		case a.previous != nil && sharingChanged(a.previous.Service, a.Service):
			changed = append(changed, a)
		default:
			open = append(open, a)
		}
	}
	open = append(p.keepAll(open, joined), p.keepAll(changed, joined)...)
	for kind := given; kind <= foreign; kind++ {
		open = p.keepAll(open, kind)
	}
}

// keepAll is keepShown for several Services. It returns those of which it is not decided about all addresses yet.
func (p *pass) keepAll(list []*Assignment, kind claim) []*Assignment {
	return slices.DeleteFunc(list, func(a *Assignment) bool { return p.keepShown(a, kind) })
}

// keepShown decides about the addresses in a status to which the Service has one kind of claim. It reports whether those are
// all addresses in the status for which it is not decided yet.
func (p *pass) keepShown(a *Assignment, kind claim) (all bool) {
	s := a.Service
	if a.Addresses == nil {
		a.Addresses = p.newAddresses(max(len(s.Ingress), len(s.Families), len(s.Requested)))
	}
	all = true
	for i, addr := range s.Ingress {
		if slices.Contains(s.Ingress[:i], addr) {
			continue
		}
		switch has := p.claim(a, addr); {
		case has == kind:
			p.keepOrRelease(a, addr)
		case has > kind:
			all = false
		}
	}
	a.sort()
	a.whole = !a.replacing && len(s.Requested) == 0 && s.RequestError == nil && len(a.Addresses) == len(s.Families)
	return all
}

// claim returns what the right of a Service to an address rests on.
func (p *pass) claim(a *Assignment, addr netip.Addr) claim {
	has := a.held(addr)
	switch {
	case has != nil && has.Joined:
		return joined
	case has != nil:
		return held
	case p.giver(a, addr) == "":
		return foreign
	case a.Service.Provenance.Joined(addr):
		return givenJoined
	}
	return given
}

// giver returns the name of the pool that gave a Service an address; empty when the address is foreign. When a provenance
// was lost, that of the pass before counts.
func (p *pass) giver(a *Assignment, addr netip.Addr) string {
	if p.world.Classes.Gave(a.Service) {
		if pool := a.Service.Provenance.PoolOf(addr); pool != "" {
			return pool
		}
	}
	if has := a.held(addr); has != nil {
		return has.Pool.Name
	}
	return ""
}

func (p *pass) keepOrRelease(a *Assignment, addr netip.Addr) {
	gave := p.giver(a, addr)
	address, release := p.mayKeep(a, addr, gave)
	switch {
	case release.Cause == Allowed:
		p.hold(a, address)
		a.replacing = a.replacing || address.replaceable()
		if address.Missing {
			p.keepMissing(a, addr)
		}
	case gave == "" && release.Cause != Surplus:
		a.Foreign = append(a.Foreign, addr)
	default:
		a.Released = append(a.Released, release)
	}
}

// mayKeep returns the address as a Service keeps it, with the name of the pool that gave it; empty for a foreign address. If
// the Service may not keep it, the Release has a Cause. A foreign address is adopted by the pool that contains it, whatever
// that would give today.
func (p *pass) mayKeep(a *Assignment, addr netip.Addr, gave string) (Address, Release) {
	s := a.Service
	release := func(cause Cause) (Address, Release) { return Address{}, Release{Addr: addr, Cause: cause} }
	from := p.sourceOf(a, addr, gave)
	if from == nil {
		return release(NotInPool)
	}
	if !s.Wants(lb.FamilyOf(addr)) {
		return release(FamilyMismatch)
	}
	pool := p.poolOf(from)
	if gave != "" && gave != from.Name {
		// The pool that gave it is gone, or does not contain it any more. It may stay where this pool serves the Service.
		if cause := p.selectionCause(pool, a); cause != Allowed {
			return release(cause)
		}
	}
	if p.surplus(a, addr) {
		return release(Surplus)
	}
	if other := p.allocations.conflict(addr, s, gave == ""); other != nil {
		return Address{}, Release{addr, Taken, other.Key, other.Key.Namespace != s.Key.Namespace}
	}
	return Address{Addr: addr, Pool: from, Missing: pool.missing, KeptDespite: p.keptDespite(pool, a, addr)}, Release{}
}

// sourceOf returns the pool that an address of a Service comes from, or a stand-in for one that is gone and whose grace time
// has not ended; nil when there is none.
func (p *pass) sourceOf(a *Assignment, addr netip.Addr, gave string) *lb.Pool {
	named := p.world.Pools.Named(gave)
	switch {
	case named != nil && named.Keeps(addr):
		return named
	case named == nil && gave != "" && p.world.Now.Before(p.missingSince(a, addr).Add(p.world.PoolGrace)):
		return p.missingPool(gave)
	}
	if gave == "" {
		return p.adopter(a, addr)
	}
	return p.world.Pools.Containing(addr)
}

// adopter returns the pool that adopts a foreign address: of those that contain it the one that it belongs to, or the oldest
// that serves the Service if that one does not: who hands a Service over and back does not come into another pool in this way.
func (p *pass) adopter(a *Assignment, addr netip.Addr) *lb.Pool {
	owner := p.world.Pools.Containing(addr)
	if owner == nil || p.selectionCause(p.byPool[owner], a) == Allowed {
		return owner
	}
	for _, from := range p.world.Pools.ByAge() {
		if from.Contains(addr) && p.selectionCause(p.byPool[from], a) == Allowed {
			return from
		}
	}
	return owner
}

// replaceForeign gives up the foreign addresses in the place of which a Service has an address of ours.
func (a *Assignment) replaceForeign() {
	if len(a.Foreign) == 0 || len(a.Addresses) == 0 {
		return
	}
	a.Foreign = slices.DeleteFunc(a.Foreign, func(addr netip.Addr) bool {
		family := lb.FamilyOf(addr)
		ours := slices.ContainsFunc(a.Addresses, func(has Address) bool { return lb.FamilyOf(has.Addr) == family })
		if !ours && a.Service.Wants(family) {
			return false
		}
		a.Released = append(a.Released, Release{Addr: addr, Cause: Replaced})
		return true
	})
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
	case pool.missing:
		return PoolMissing
	}
	return cmp.Or(p.selectionCause(pool, a), p.never.of(addr, s))
}

// requestsFamily reports whether a Service requests certain addresses of a family.
func requestsFamily(s *lb.Service, family lb.Family) bool {
	return s.RequestError == nil &&
		slices.ContainsFunc(s.Requested, func(addr netip.Addr) bool { return lb.FamilyOf(addr) == family })
}
