package ipam

import "github.com/daymark-lb/daymark/internal/core/lb"

// explain returns why nothing was found for a request: the verdict on the requested address, or on every pool that was
// tried.
func (p *pass) explain(a *Assignment, r request) Missing {
	if !r.addr.IsValid() {
		return p.explainAny(a, r.family)
	}
	m := Missing{Family: r.family, Addr: r.addr}
	if _, verdict := p.tryAddress(a, r.addr); verdict.Cause != NotInPool {
		m.Verdicts = []Verdict{verdict}
		return m
	}
	m.Verdicts = make([]Verdict, 0, len(p.pools))
	for _, pool := range p.candidates(a.Service) {
		m.Verdicts = append(m.Verdicts, Verdict{Pool: pool.Name, Use: pool.use, Cause: NotInPool})
	}
	m.Verdicts = append(m.Verdicts, p.noSuchPools(a.Service)...)
	return m
}

// explainAny returns why no pool gives a Service an address of a family.
func (p *pass) explainAny(a *Assignment, family lb.Family) Missing {
	s := a.Service
	requested := len(s.RequestedPools) > 0
	sameForAll := !requested && !p.selective
	list := p.poolListOf(a, family)
	m := Missing{Family: family}
	if sameForAll && list.verdicts != nil {
		m.Verdicts, m.sharedText = list.verdicts, &list.text
		return m
	}
	m.Verdicts = make([]Verdict, 0, len(p.pools))
	for _, pool := range p.candidates(s) {
		cause := p.poolCause(check{assignment: a, pool: pool, family: family, requested: requested})
		if cause == Allowed {
			cause = Exhausted // else an address would have been found
		}
		m.Verdicts = append(m.Verdicts, Verdict{Pool: pool.Name, Use: pool.use, Cause: cause})
	}
	m.Verdicts = append(m.Verdicts, p.noSuchPools(s)...)
	// What the Service releases or is about to get counts for its quota, and not for the quota of the next Service.
	if sameForAll && !(p.limited && (a.replacing || len(p.pending) > 0)) {
		list.verdicts, m.sharedText = m.Verdicts, &list.text
	}
	return m
}

// maxNameBytes is how much a message has of a name that nothing has.
const maxNameBytes = 64

// noSuchPools returns verdicts on the pools that a Service names and that do not exist.
func (p *pass) noSuchPools(s *lb.Service) []Verdict {
	var verdicts []Verdict
	for _, name := range s.RequestedPools {
		if p.world.Pools.Named(name) == nil {
			verdicts = append(verdicts, Verdict{Pool: lb.Truncate(name, maxNameBytes), Cause: NoSuchPool})
		}
	}
	return verdicts
}
