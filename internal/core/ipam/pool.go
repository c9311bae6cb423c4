package ipam

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// pool is a pool in this pass.
type pool struct {
	*lb.Pool
	use *PoolUse
	// mine are the ranges the pool has: without what is excluded or another pool's. general are those not reserved.
	mine, general []lb.Range
	// spaces of the two families, of general.
	space4, space6 space
	// perNamespace counts the addresses that the Services of a namespace hold, if there is a limit.
	perNamespace map[string]int
}

func (p *pool) space(family lb.Family) *space {
	if family == lb.IPv6 {
		return &p.space6
	}
	return &p.space4
}

// has reports whether the pool has addresses of a family at all.
func (p *pool) has(family lb.Family) bool { return p.use.Of(family) != nil }

// free finds the lowest free address.
func (p *pool) free(b *book, family lb.Family) (netip.Addr, bool) {
	return p.space(family).free(b, p.AvoidBuggyIPs)
}

// preparePools makes the pools of a pass, in order of priority.
func (p *pass) preparePools() {
	pools := p.world.Pools
	shares := pools.Shares()
	p.byPool = make(map[*lb.Pool]*pool, len(shares))
	for i, from := range pools.ByAge() {
		made := &pool{Pool: from, use: &PoolUse{Pool: from}, mine: shares[i]}
		made.general = lb.Subtract(made.mine, p.reserved.all)
		for _, r := range made.general {
			family := made.space(lb.FamilyOf(r.From))
			family.stretches = append(family.stretches, r)
		}
		for _, r := range from.Ranges { // the counts are there even if all of a family is excluded or another's
			if lb.FamilyOf(r.From) == lb.IPv4 {
				made.use.IPv4 = &Count{}
			} else {
				made.use.IPv6 = &Count{}
			}
		}
		if from.MaxPerNamespace > 0 {
			made.perNamespace = map[string]int{}
		}
		p.byPool[from] = made
		p.limited = p.limited || from.MaxPerNamespace > 0
		p.selective = p.selective || len(from.ServiceSelectors) > 0
		p.resting = p.resting || from.ReuseDelay > 0
	}
	for _, from := range pools.ByPriority() {
		p.pools = append(p.pools, p.byPool[from])
	}
}

// admits says whether a pool serves the Services of a namespace, and this one. It is all that counts for an address that
// a Service shows and some other pool gave: whether the pool still gives anything does not.
func (p *pass) admits(pool *pool, s *lb.Service) Why {
	switch {
	case !pool.ServesNamespace(s.Key.Namespace, p.world.Namespaces[s.Key.Namespace]):
		return OtherNamespace
	case !pool.ServiceSelectors.Match(s.Labels):
		return OtherService
	}
	return Serves
}

// gives says whether a pool gives a Service one more address of a family; asked: the Service names the pool or the
// address, or has a reservation. Whether an address is free is not looked at.
func (p *pass) gives(pool *pool, a *Assignment, family lb.Family, asked bool) Why {
	switch {
	case pool.Err != nil:
		return Unreadable
	case !pool.has(family):
		return OtherFamily
	case !asked && !pool.AutoAssign:
		return NotAutomatic
	case pool.Drain:
		return Draining
	}
	if why := p.admits(pool, a.Service); why != Serves {
		return why
	}
	if pool.perNamespace != nil && p.willHold(pool, a) >= pool.MaxPerNamespace {
		return OverQuota
	}
	return Serves
}

// willHold counts the addresses of a pool that the namespace of a Service has when this one has got what was found for it
// so far, and given up what it leaves for that. An address that a neighbour has counts for the neighbour.
func (p *pass) willHold(pool *pool, a *Assignment) int {
	n := pool.perNamespace[a.Service.Key.Namespace]
	for _, found := range p.found {
		if found.Pool == pool.Pool && !p.joins(a.Service, found.Addr) {
			n++
		}
	}
	for _, has := range a.Addresses {
		if has.Pool == pool.Pool && has.replaceable() && !p.joins(a.Service, has.Addr) {
			n--
		}
	}
	return n
}

// replaceable reports whether an address is kept only until what is asked for in its place can be had.
func (a Address) replaceable() bool { return a.Stays == OtherAddress || a.Stays == OtherPool }

// hold writes down that a Service has an address.
func (p *pass) hold(a *Assignment, address Address) {
	s, pool, family := a.Service, p.byPool[address.Pool], lb.FamilyOf(address.Addr)
	if pool.perNamespace != nil && !p.joins(s, address.Addr) {
		pool.perNamespace[s.Key.Namespace]++
	}
	if p.book.take(address.Addr, s) {
		if count := pool.use.Of(family); count != nil {
			count.Assigned++
		}
		pool.space(family).taken(address.Addr)
		if s.SharingKey != "" {
			p.offer(s, address)
		}
	}
	a.Addresses = append(a.Addresses, address)
}
