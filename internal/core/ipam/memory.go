package ipam

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// recall tells every assignment what became of its Service in the pass before. Both lists are in the same order.
func (p *pass) recall() {
	last := p.world.Memory.Last
	for i := range p.plan.Assignments {
		a := &p.plan.Assignments[i]
		for len(last) > 0 && last[0].Service.UID != a.Service.UID && age(last[0].Service).compare(age(a.Service)) <= 0 {
			last = last[1:] // it is gone
		}
		if len(last) == 0 {
			return
		}
		if last[0].Service.UID == a.Service.UID {
			a.before, last = &last[0], last[1:]
		}
	}
}

// held reports whether a Service held an address in the pass before.
func (a *Assignment) held(addr netip.Addr) bool {
	return a.before != nil && slices.ContainsFunc(a.before.Addresses, func(has Address) bool { return has.Addr == addr })
}

// rest finds the addresses that were given back, and keeps them back for as long as their pool says.
func (p *pass) rest() {
	p.had = map[lb.Key][]netip.Addr{}
	rests := map[netip.Addr]Rest{}
	maps.Copy(rests, p.world.Memory.Rests)
	for i := range p.world.Memory.Last {
		before := &p.world.Memory.Last[i]
		for _, has := range before.Addresses {
			if p.book.free(has.Addr) {
				rests[has.Addr] = Rest{before.Service.Key, p.world.Now}
			}
		}
		for _, lost := range before.Lost { // its status showed it; the rest begins when it does not
			if lost.Why != Taken && p.book.free(lost.Addr) {
				rests[lost.Addr] = Rest{before.Service.Key, p.world.Now}
			}
		}
	}
	// order does not matter: the addresses of a Service are sorted below, and the earliest end is taken.
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

// own finds an address that a Service had in the pass before and that its status lost, or one that a Service of this name
// had and that rests: it may have it again at any time.
func (p *pass) own(a *Assignment, family lb.Family, serves func(*pool) bool) (Address, bool) {
	again := func(addr netip.Addr) (Address, bool) {
		if lb.FamilyOf(addr) != family || slices.Contains(a.Service.Ingress, addr) { // what the status shows is decided
			return Address{}, false
		}
		address, verdict := p.certain(a, addr)
		return address, verdict.Why == Serves && serves(p.byPool[address.Pool])
	}
	if a.before != nil {
		for _, has := range a.before.Addresses {
			if address, ok := again(has.Addr); ok {
				return address, true
			}
		}
	}
	for _, addr := range p.had[a.Service.Key] {
		if address, ok := again(addr); ok {
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
	memory.Last = p.plan.Assignments
	for i := range p.plan.Assignments {
		a := &p.plan.Assignments[i]
		a.before = nil // one pass back is enough
		if len(memory.Rests) > 0 {
			for _, has := range a.Addresses {
				delete(memory.Rests, has.Addr)
			}
		}
	}
}
