package ipam

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// pool is a pool in this pass.
type pool struct {
	*lb.Pool
	use *PoolUse
	// owned are the ranges that the pool has: its own without the excluded ones and those of an older pool. usable are those of
	// them that may be given, and unreserved those that no reservation keeps.
	owned, usable, unreserved []lb.Range
	// missing: it is a stand-in for a pool that does not exist.
	missing bool
	// used4 and used6 count the addresses that have an allocation, when all have been made.
	used4, used6 usedCount
	// still4 and still6 count those of still Services.
	still4, still6 stillCount
	// search4 and search6 find free unreserved addresses.
	search4, search6 freeSearch
	// perNamespace counts the addresses that the Services of each namespace hold; nil when the pool has no limit.
	perNamespace map[string]int
}

func (p *pool) used(family lb.Family) *usedCount {
	if family == lb.IPv6 {
		return &p.used6
	}
	return &p.used4
}

func (p *pool) still(family lb.Family) *stillCount {
	if family == lb.IPv6 {
		return &p.still6
	}
	return &p.still4
}

func (p *pool) search(family lb.Family) *freeSearch {
	if family == lb.IPv6 {
		return &p.search6
	}
	return &p.search4
}

// has reports whether the pool has any address of a family, free or not.
func (p *pool) has(family lb.Family) bool { return p.use.Count(family) != nil }

// free returns the lowest free unreserved address; ok is false when there is none.
func (p *pool) free(all *allocations, family lb.Family) (addr netip.Addr, ok bool) {
	return p.search(family).free(all, p.AvoidBuggyIPs)
}

// preparePools prepares the pools of the pass, in order of priority.
func (p *pass) preparePools() {
	pools := p.world.Pools
	shares := pools.Shares()
	p.byPool = make(map[*lb.Pool]*pool, len(shares))
	for i, from := range pools.ByAge() {
		made := &pool{Pool: from, use: &PoolUse{Pool: from}, owned: shares[i]}
		made.usable = lb.Subtract(made.owned, p.never.ranges)
		made.unreserved = lb.Subtract(made.usable, p.reservations.all)
		for _, r := range made.unreserved {
			search := made.search(lb.FamilyOf(r.From))
			search.ranges = append(search.ranges, r)
		}
		for _, r := range from.Ranges { // a family is counted even if all its addresses are excluded or another pool's
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
		p.byAge = append(p.byAge, made)
		p.limited = p.limited || from.MaxPerNamespace > 0
		p.selective = p.selective || len(from.ServiceSelectors) > 0
		p.delaysReuse = p.delaysReuse || from.ReuseDelay > 0
	}
	for _, from := range pools.ByPriority() {
		p.pools = append(p.pools, p.byPool[from])
	}
}

// poolOf returns a pool in this pass. Mostly the same one is asked for several times in a row.
func (p *pass) poolOf(from *lb.Pool) *pool {
	if p.last == nil || p.last.Pool != from {
		p.last = p.byPool[from]
	}
	return p.last
}

// willHold returns how many addresses of a pool a Service's namespace will hold when the Service has got what was found for
// it so far, and has released what that replaces. An address that another Service of the namespace has counts for that one.
func (p *pass) willHold(pool *pool, a *Assignment) int {
	n := pool.perNamespace[a.Service.Key.Namespace]
	for _, found := range p.pending {
		if found.Pool == pool.Pool && !p.joins(a.Service, found.Addr) && !p.restsFor(a.Service.Key.Namespace, found.Addr) {
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

// charge is one address that counts for a namespace in the counts of a pool.
type charge struct {
	counts    map[string]int
	namespace string
}

// charge counts an address of a pool with a limit for a namespace.
func (p *pass) charge(pool *pool, namespace string) {
	pool.perNamespace[namespace]++
	if p.allocations.noting {
		p.charges = append(p.charges, charge{pool.perNamespace, namespace})
	}
}

// replaceable reports whether an address is kept only until what its Service requests in its place is available.
func (a Address) replaceable() bool {
	return a.KeptDespite == OtherAddressRequested || a.KeptDespite == OtherPoolRequested
}

// hold records that a Service holds an address.
func (p *pass) hold(a *Assignment, address Address) {
	s, pool, family := a.Service, p.poolOf(address.Pool), lb.FamilyOf(address.Addr)
	rests := p.restsFor(s.Key.Namespace, address.Addr)
	address.Joined = !p.allocations.take(address.Addr, s)
	if pool.perNamespace != nil && !rests && !(address.Joined && p.joins(s, address.Addr)) {
		p.charge(pool, s.Key.Namespace)
	}
	if !address.Joined {
		if count := pool.use.Count(family); count != nil {
			count.Assigned++
		}
		pool.search(family).skip(address.Addr)
		if s.SharingKey != "" {
			p.addShareable(s, address.Addr)
		}
	}
	a.Addresses = append(a.Addresses, address)
}
