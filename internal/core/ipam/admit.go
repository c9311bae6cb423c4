package ipam

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// admit lets every Service keep what it may of the addresses in its status. Those that were held in the pass before come
// first, so that an address written into a status by hand drives nobody out who has it; and of these the ones whose terms
// of sharing did not change, so that the Service that changed is the one to move and not its neighbours.
func (p *pass) admit() {
	p.recall()
	var changed, others []*Assignment
	for i := range p.plan.Assignments {
		a := &p.plan.Assignments[i]
		switch {
		case len(a.Service.Ingress) == 0:
		case a.before == nil:
			others = append(others, a)
		case changedTerms(a.before.Service, a.Service):
			changed = append(changed, a)
		case !p.admitThose(a, true):
			others = append(others, a)
		}
	}
	for _, a := range changed {
		if !p.admitThose(a, true) {
			others = append(others, a)
		}
	}
	for _, a := range others {
		p.admitThose(a, false)
	}
}

// admitThose admits the addresses in a status that were held in the pass before, or else those that were not. It reports
// whether that is all of them.
func (p *pass) admitThose(a *Assignment, held bool) (all bool) {
	s := a.Service
	if a.Addresses == nil {
		a.Addresses = p.cut(max(len(s.Ingress), len(s.Families), len(s.Requested)))
	}
	all = true
	for i, addr := range s.Ingress {
		switch {
		case slices.Contains(s.Ingress[:i], addr):
		case a.held(addr) == held:
			p.admitOne(a, addr)
		default:
			all = false
		}
	}
	a.sort()
	return all
}

func (p *pass) admitOne(a *Assignment, addr netip.Addr) {
	address, loss := p.keeps(a, addr)
	if loss.Why != Serves {
		a.Lost = append(a.Lost, loss)
		return
	}
	p.hold(a, address)
	a.awaiting = a.awaiting || address.replaceable()
}

// keeps says whether a Service keeps an address that its status shows, and if not, why.
func (p *pass) keeps(a *Assignment, addr netip.Addr) (Address, Loss) {
	s := a.Service
	lose := func(why Why) (Address, Loss) { return Address{}, Loss{Addr: addr, Why: why} }
	from := p.world.Pools.Of(s, addr)
	if from == nil {
		return lose(NotInPool)
	}
	if !s.Wants(lb.FamilyOf(addr)) {
		return lose(OtherFamily)
	}
	pool := p.byPool[from]
	if !slices.Contains(s.Pools, from.Name) {
		// Its status was edited, or the pool was renamed: it may stay where this pool serves it.
		if why := p.admits(pool, s); why != Serves {
			return lose(why)
		}
	}
	if p.surplus(a, addr) {
		return lose(Surplus)
	}
	if opponent := p.book.opponent(addr, s); opponent != nil {
		return Address{}, Loss{addr, Taken, opponent.Key}
	}
	return Address{addr, from, p.stays(pool, s, addr)}, Loss{}
}

// surplus reports whether a Service has its one address of a family already. One that asks for certain addresses may have
// more, and keeps a wrong one until it has the right ones; one whose wishes cannot be read keeps all it has.
func (p *pass) surplus(a *Assignment, addr netip.Addr) bool {
	family := lb.FamilyOf(addr)
	if a.Service.RequestError != nil || requestsFamily(a.Service, family) {
		return false
	}
	return slices.ContainsFunc(a.Addresses, func(has Address) bool { return lb.FamilyOf(has.Addr) == family })
}

// stays says why an address that is kept would not be given today.
func (p *pass) stays(pool *pool, s *lb.Service, addr netip.Addr) Why {
	switch {
	case requestsFamily(s, lb.FamilyOf(addr)) && !slices.Contains(s.Requested, addr):
		return OtherAddress
	case len(s.RequestedPools) > 0 && !slices.Contains(s.RequestedPools, pool.Name) && !slices.Contains(s.Requested, addr):
		return OtherPool
	case pool.Err != nil:
		return Unreadable
	}
	return p.admits(pool, s)
}

// requestsFamily reports whether a Service asks for certain addresses of a family.
func requestsFamily(s *lb.Service, family lb.Family) bool {
	return s.RequestError == nil && slices.ContainsFunc(s.Requested, func(addr netip.Addr) bool { return lb.FamilyOf(addr) == family })
}
