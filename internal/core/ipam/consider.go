package ipam

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Answer is what a pool says to a Service for one family.
type Answer struct {
	Family lb.Family
	Pool   string
	// Given are the addresses of the family that the Service holds from the pool.
	Given []netip.Addr
	// Cause is why the pool gives it none; Allowed: it gives or would give one. Text says it in words that follow the pool's name.
	Cause Cause
	Text  string
}

// Consider returns what Compute decides for one Service, and what every pool says to it, also when it has all that it asks for. ok
// is false when the world has no such Service of ours.
func Consider(world World, key lb.Key) (a Assignment, answers []Answer, ok bool) {
	p := compute(&world)
	i := slices.IndexFunc(p.plan.Assignments, func(a Assignment) bool { return a.Service.Key == key })
	if i < 0 {
		return Assignment{}, nil, false
	}
	found := &p.plan.Assignments[i]
	for _, family := range found.Service.Families {
		for _, pool := range p.candidates(found.Service) {
			answers = append(answers, p.answer(found, pool, family))
		}
		for _, verdict := range p.noSuchPools(found.Service) {
			answers = append(answers, verdict.answer(family))
		}
	}
	return *found, answers, true
}

// answer of a pool: on the address that the Service requests, or else on any.
func (p *pass) answer(a *Assignment, pool *pool, family lb.Family) Answer {
	verdict := Verdict{Pool: pool.Name, Use: pool.use}
	requested := slices.DeleteFunc(slices.Clone(a.Service.Requested), func(addr netip.Addr) bool { return lb.FamilyOf(addr) != family })
	if len(requested) == 0 {
		verdict.Cause = p.poolCause(check{assignment: a, pool: pool, family: family, requested: len(a.Service.RequestedPools) > 0})
		if _, free := pool.free(&p.allocations, family); !free && verdict.Cause == Allowed {
			verdict.Cause = Exhausted
		}
	}
	for _, addr := range requested {
		verdict.Cause = NotInPool
		if p.world.Pools.Containing(addr) == pool.Pool {
			_, verdict = p.tryAddress(a, addr)
			verdict.Pool, verdict.Use = pool.Name, pool.use
		}
		if verdict.Cause != NotInPool {
			break
		}
	}
	answer := verdict.answer(family)
	for _, has := range a.Addresses {
		if has.Pool.Name == pool.Name && lb.FamilyOf(has.Addr) == family {
			answer.Given = append(answer.Given, has.Addr)
		}
	}
	return answer
}

func (v *Verdict) answer(family lb.Family) Answer {
	answer := Answer{Family: family, Pool: v.Pool, Cause: v.Cause}
	if text := causes[v.Cause].text; text != nil {
		answer.Text = text(v, family)
	}
	return answer
}
