package ipam

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// find looks for an address that a Service may have.
func (p *pass) find(a *Assignment, w want) (Address, bool) {
	if w.addr.IsValid() {
		address, verdict := p.certain(a, w.addr)
		return address, verdict.Why == Serves
	}
	return p.any(a, w.family)
}

// explain says why nothing was found: the verdict on the requested address, or on every pool that could have served.
func (p *pass) explain(a *Assignment, w want) Missing {
	if !w.addr.IsValid() {
		return p.explainAny(a, w.family)
	}
	m := Missing{Family: w.family, Addr: w.addr}
	if _, verdict := p.certain(a, w.addr); verdict.Why != NotInPool {
		m.Verdicts = []Verdict{verdict}
		return m
	}
	m.Verdicts = make([]Verdict, 0, len(p.pools))
	for _, pool := range p.candidates(a.Service) {
		m.Verdicts = append(m.Verdicts, Verdict{Pool: pool.Name, Use: pool.use, Why: NotInPool})
	}
	m.Verdicts = append(m.Verdicts, p.unknown(a.Service)...)
	return m
}

// certain looks whether a Service may have a certain address.
func (p *pass) certain(a *Assignment, addr netip.Addr) (Address, Verdict) {
	s := a.Service
	from := p.world.Pools.Containing(addr)
	if from == nil {
		return Address{}, Verdict{Why: NotInPool}
	}
	pool := p.byPool[from]
	refuse := func(why Why) (Address, Verdict) { return Address{}, Verdict{Pool: pool.Name, Use: pool.use, Why: why} }
	if len(s.RequestedPools) > 0 && !slices.Contains(s.RequestedPools, pool.Name) {
		return refuse(OtherPool)
	}
	if why := p.gives(pool, a, lb.FamilyOf(addr), true); why != Serves && !(why == OverQuota && p.joins(s, addr)) {
		return refuse(why)
	}
	why := p.withheld(pool, s, addr)
	if why == Serves {
		why = p.obstacle(addr, s)
	}
	if why != Serves {
		address, verdict := refuse(why)
		verdict.Holder, verdict.Until = p.holderName(addr, s, why), p.until(addr, why)
		return address, verdict
	}
	return Address{Addr: addr, Pool: from}, Verdict{}
}

// withheld says why a Service is never given an address, whoever has it.
func (p *pass) withheld(pool *pool, s *lb.Service, addr netip.Addr) Why {
	if p.nodes[addr] != "" {
		return OfNode
	}
	if pool.AvoidBuggyIPs && buggy(addr) {
		return Buggy
	}
	if r := p.reserved.of(addr); r != nil && !r.For(s) {
		return Reserved
	}
	return Serves
}

// obstacle says why a Service cannot take an address as things stand in the book.
func (p *pass) obstacle(addr netip.Addr, s *lb.Service) Why {
	e, known := p.book.entries[addr]
	switch {
	case !known:
		return Serves
	case e.why == Resting && p.plan.Memory.Rests[addr].Service == s.Key:
		return Serves // it was its own
	case e.holder != nil && p.book.opponent(addr, s) == nil:
		return Serves // it may be shared
	}
	return e.why
}

// joins reports whether another Service of the same namespace has an address, so that one more uses up nothing of its quota.
func (p *pass) joins(s *lb.Service, addr netip.Addr) bool {
	return slices.ContainsFunc(p.book.holders(addr), func(holder *lb.Service) bool {
		return holder != s && holder.Key.Namespace == s.Key.Namespace
	})
}

// holderName tells whose an address is that a Service cannot have for some reason.
func (p *pass) holderName(addr netip.Addr, s *lb.Service, why Why) string {
	switch why {
	case OfNode:
		return p.nodes[addr]
	case Reserved:
		return p.reserved.of(addr).Name
	case Taken, Foreign:
		if opponent := p.book.opponent(addr, s); opponent != nil {
			return opponent.Key.String()
		}
		return p.book.shown[addr][0].Key.String() // who may share it, and does not hold it
	}
	return ""
}

// any looks for any address of a family: one that is reserved for the Service, one that it had and nobody else has since,
// one that it may share, and then the lowest that is free in the first pool that serves it.
func (p *pass) any(a *Assignment, family lb.Family) (Address, bool) {
	s := a.Service
	asked := len(s.RequestedPools) > 0
	fits := func(pool *pool) bool { return !asked || slices.Contains(s.RequestedPools, pool.Name) }
	found, ok := p.reservedFree(s, family, func(pool *pool) bool { return fits(pool) && p.gives(pool, a, family, true) == Serves })
	if ok {
		return found, true
	}
	if found, ok := p.own(a, family, func(pool *pool) bool { return fits(pool) && (asked || pool.AutoAssign) }); ok {
		return found, true
	}
	if s.SharingKey != "" {
		found, ok := p.shareable(s, family, func(pool *pool, addr netip.Addr) bool {
			why := p.gives(pool, a, family, asked)
			return fits(pool) && (why == Serves || why == OverQuota && p.joins(s, addr))
		})
		if ok {
			return found, true
		}
	}
	if asked {
		return p.firstFree(a, family, p.candidates(s), true)
	}
	return p.firstFree(a, family, p.route(s.Key.Namespace, family).open(&p.book, family), false)
}

// firstFree finds the lowest free address of the first of some pools that gives one.
func (p *pass) firstFree(a *Assignment, family lb.Family, pools []*pool, asked bool) (Address, bool) {
	for _, pool := range pools {
		if p.gives(pool, a, family, asked) != Serves {
			continue
		}
		if addr, ok := pool.free(&p.book, family); ok {
			return Address{Addr: addr, Pool: pool.Pool}, true
		}
	}
	return Address{}, false
}

// candidates are the pools that a Service asks for, in order of preference, or else all in order of priority.
func (p *pass) candidates(s *lb.Service) []*pool {
	if len(s.RequestedPools) == 0 {
		return p.pools
	}
	var named []*pool
	for _, name := range s.RequestedPools {
		if from := p.world.Pools.Named(name); from != nil && !slices.Contains(named, p.byPool[from]) {
			named = append(named, p.byPool[from])
		}
	}
	return named
}

// unknown are verdicts on the pools that a Service asks for and that do not exist.
func (p *pass) unknown(s *lb.Service) []Verdict {
	var verdicts []Verdict
	for _, name := range s.RequestedPools {
		if p.world.Pools.Named(name) == nil {
			verdicts = append(verdicts, Verdict{Pool: name, Why: NoSuchPool})
		}
	}
	return verdicts
}

// explainAny says why no pool gives a Service an address of a family, when none does.
func (p *pass) explainAny(a *Assignment, family lb.Family) Missing {
	s := a.Service
	asked := len(s.RequestedPools) > 0
	plain := !asked && !p.selective
	r := p.route(s.Key.Namespace, family)
	m := Missing{Family: family}
	if plain && r.verdicts != nil {
		m.Verdicts, m.answers = r.verdicts, &r.answers
		return m
	}
	m.Verdicts = make([]Verdict, 0, len(p.pools))
	for _, pool := range p.candidates(s) {
		why := p.gives(pool, a, family, asked)
		if why == Serves {
			why = Exhausted // else it would have been found
		}
		m.Verdicts = append(m.Verdicts, Verdict{Pool: pool.Name, Use: pool.use, Why: why})
	}
	m.Verdicts = append(m.Verdicts, p.unknown(s)...)
	// What the Service gives up or is about to get counts for its quota, and not for that of the next one.
	if plain && !(p.limited && (a.awaiting || len(p.found) > 0)) {
		r.verdicts, m.answers = m.Verdicts, &r.answers
	}
	return m
}
