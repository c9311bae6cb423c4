package ipam

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/lb"
)

// rest finds the addresses that were given back, and keeps them back for as long as their pool says.
func (p *pass) rest() {
	p.had = map[lb.Key][]netip.Addr{}
	rests := map[netip.Addr]Rest{}
	maps.Copy(rests, p.world.Memory.Rests)
	for addr, holder := range p.world.Memory.Held {
		rests[addr] = Rest{holder, p.world.Now}
	}
	for addr, rest := range rests {
		end, still := p.restEnd(addr, rest)
		if !still || !p.book.free(addr) {
			delete(rests, addr)
			continue
		}
		p.book.withhold(addr, Resting)
		p.had[rest.Service] = append(p.had[rest.Service], addr)
		if p.plan.Next.IsZero() || end.Before(p.plan.Next) {
			p.plan.Next = end
		}
	}
	for _, addrs := range p.had {
		slices.SortFunc(addrs, netip.Addr.Compare)
	}
	p.plan.Memory.Rests = rests
}

// own finds an address that a Service of this name had and that rests: it may have it again at any time.
func (p *pass) own(a *Assignment, family lb.Family, serves func(*pool) bool) (Address, bool) {
	for _, addr := range p.had[a.Service.Key] {
		address, verdict := p.certain(a, addr)
		if lb.FamilyOf(addr) == family && verdict.Why == Serves && serves(p.byPool[address.Pool]) {
			return address, true
		}
	}
	return Address{}, false
}

// restEnd says until when an address rests, and whether it still does.
func (p *pass) restEnd(addr netip.Addr, rest Rest) (time.Time, bool) {
	pool := p.world.Pools.Containing(addr)
	if pool == nil {
		return time.Time{}, false
	}
	end := rest.Since.Add(pool.ReuseDelay)
	return end, p.world.Now.Before(end)
}

// until says how long an address rests, if that is why it is not to be had.
func (p *pass) until(addr netip.Addr, why Why) time.Time {
	if why != Resting {
		return time.Time{}
	}
	end, _ := p.restEnd(addr, p.plan.Memory.Rests[addr])
	return end
}

// remember makes the memory for the next pass.
func (p *pass) remember() {
	memory := &p.plan.Memory
	memory.Terms = map[types.UID]string{}
	if p.resting {
		memory.Held = map[netip.Addr]lb.Key{}
	}
	for i := range p.plan.Assignments {
		a := &p.plan.Assignments[i]
		p.rememberTerms(a)
		if !p.resting {
			continue
		}
		for _, has := range a.Addresses {
			delete(memory.Rests, has.Addr)
			if has.Pool.ReuseDelay > 0 {
				memory.Held[has.Addr] = a.Service.Key
			}
		}
		for _, lost := range a.Lost { // its status still shows it; the rest begins when it does not
			if pool := p.world.Pools.Containing(lost.Addr); lost.Why != Taken && pool != nil && pool.ReuseDelay > 0 {
				memory.Held[lost.Addr] = a.Service.Key
			}
		}
	}
}

// rememberTerms keeps the terms on which a Service shares. One that lost an address over a change of its terms keeps the
// old ones until its status no longer shows that address: the write may fail, and then it must be the one to move again.
func (p *pass) rememberTerms(a *Assignment) {
	s := a.Service
	if s.SharingKey == "" && len(p.world.Memory.Terms) == 0 {
		return
	}
	if before, known := p.world.Memory.Terms[s.UID]; known && a.lostToNeighbour() {
		p.plan.Memory.Terms[s.UID] = before
	} else if s.SharingKey != "" {
		p.plan.Memory.Terms[s.UID] = terms(s)
	}
}

func (a *Assignment) lostToNeighbour() bool {
	for _, lost := range a.Lost {
		if lost.Why == Taken {
			return true
		}
	}
	return false
}
