package ipam

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// linkPrevious sets the previous assignment of every assignment. Both lists are in the same order.
func (p *pass) linkPrevious() {
	last := p.world.Memory.Assignments
	for i := range p.plan.Assignments {
		a := &p.plan.Assignments[i]
		for len(last) > 0 && last[0].Service.UID != a.Service.UID && age(last[0].Service).compare(age(a.Service)) <= 0 {
			p.gone = append(p.gone, &last[0])
			last = last[1:]
		}
		if len(last) == 0 {
			return
		}
		if last[0].Service.UID == a.Service.UID {
			a.previous, last = &last[0], last[1:]
		}
	}
	for i := range last {
		p.gone = append(p.gone, &last[i])
	}
}

// held returns an address as the Service held it in the pass before; nil when it did not.
func (a *Assignment) held(addr netip.Addr) *Address {
	if a.previous == nil {
		return nil
	}
	for i := range a.previous.Addresses {
		if has := &a.previous.Addresses[i]; has.Addr == addr {
			return has
		}
	}
	return nil
}

// delayReuse finds the addresses that were released and blocks them for the reuse delay of their pool. For that time they
// count for the quota of the namespace that had them, in the pool that they belong to: else a namespace could have a whole
// pool rest by creating and deleting Services.
func (p *pass) delayReuse() {
	p.freedBy = map[lb.Key][]netip.Addr{}
	freed := map[netip.Addr]FreedAddress{}
	maps.Copy(freed, p.world.Memory.Freed)
	for _, a := range p.active {
		if a.previous != nil && !a.keepsAll() {
			p.free(a.previous, freed)
		}
	}
	for _, previous := range p.gone {
		p.free(previous, freed)
	}
	for _, left := range p.world.Memory.Leaving {
		for _, has := range left.Service.Provenance.Allocations {
			if p.allocations.free(has.Addr) {
				freed[has.Addr] = FreedAddress{left.Service.Key, p.world.Now}
			}
		}
	}
	// order does not matter: the addresses of a Service are sorted below, and the earliest end is taken.
	for addr, f := range freed {
		end, running := p.reusableFrom(addr, f)
		if !running || !p.allocations.free(addr) {
			delete(freed, addr)
			continue
		}
		p.allocations.block(addr, ReuseDelayed)
		if pool := p.byPool[p.world.Pools.Containing(addr)]; pool.perNamespace != nil {
			p.charge(pool, f.Service.Namespace)
		}
		p.freedBy[f.Service] = append(p.freedBy[f.Service], addr)
		p.decideAgain(end)
	}
	for _, addrs := range p.freedBy {
		slices.SortFunc(addrs, netip.Addr.Compare)
	}
	p.plan.Memory.Freed = freed
}

// keepsAll reports whether a Service has the addresses that it had in the pass before, and released none then.
func (a *Assignment) keepsAll() bool {
	return len(a.previous.Released) == 0 &&
		slices.EqualFunc(a.previous.Addresses, a.Addresses, func(had, has Address) bool { return had.Addr == has.Addr })
}

// free adds the addresses of an assignment of the pass before that are free now.
func (p *pass) free(previous *Assignment, freed map[netip.Addr]FreedAddress) {
	for _, has := range previous.Addresses {
		if p.allocations.free(has.Addr) {
			freed[has.Addr] = FreedAddress{previous.Service.Key, p.world.Now}
		}
	}
	for _, release := range previous.Released { // the delay begins when the status does not show the address any more
		if release.Cause != Taken && release.Cause != Replaced && p.allocations.free(release.Addr) {
			freed[release.Addr] = FreedAddress{previous.Service.Key, p.world.Now}
		}
	}
}

// findPrevious looks for an address that a Service had in the pass before and that its status has lost, or one that a
// Service of this name had and whose reuse delay runs. The Service may have such an address again at any time. Last come the
// addresses that it says it had, as a Service that is restored from a backup does: that is a wish and no right.
func (p *pass) findPrevious(a *Assignment, family lb.Family) (Address, bool) {
	if a.previous != nil {
		for _, has := range a.previous.Addresses {
			if address, ok := p.tryAgain(a, family, has.Addr); ok {
				return address, true
			}
		}
	}
	for _, addr := range slices.Concat(p.freedBy[a.Service.Key], a.Service.LastAddresses) {
		if address, ok := p.tryAgain(a, family, addr); ok {
			return address, true
		}
	}
	return Address{}, false
}

// tryAgain returns an address that a Service had with its pool, if that gives it to the Service today.
func (p *pass) tryAgain(a *Assignment, family lb.Family, addr netip.Addr) (Address, bool) {
	if lb.FamilyOf(addr) != family || slices.Contains(a.Service.Ingress, addr) { // keepHeld has decided
		return Address{}, false
	}
	from := p.world.Pools.Containing(addr)
	if from == nil {
		return Address{}, false
	}
	c := check{assignment: a, pool: p.byPool[from], family: family, requested: len(a.Service.RequestedPools) > 0, addr: addr}
	return Address{Addr: addr, Pool: from}, p.addressCause(c) == Allowed
}

// reusableFrom returns when the reuse delay of an address ends, and whether it is still running.
func (p *pass) reusableFrom(addr netip.Addr, freed FreedAddress) (end time.Time, running bool) {
	pool := p.world.Pools.Containing(addr)
	if pool == nil {
		return time.Time{}, false
	}
	end = freed.Since.Add(pool.ReuseDelay)
	return end, p.world.Now.Before(end)
}

// until returns when the reuse delay of an address ends, if the delay is the Cause; else the zero Time.
func (p *pass) until(addr netip.Addr, cause Cause) time.Time {
	if cause != ReuseDelayed {
		return time.Time{}
	}
	end, _ := p.reusableFrom(addr, p.plan.Memory.Freed[addr])
	return end
}

// restsFor reports whether an address has a running reuse delay that counts for a namespace's quota.
func (p *pass) restsFor(namespace string, addr netip.Addr) bool {
	return len(p.plan.Memory.Freed) > 0 &&
		p.allocations.entries[addr].cause == ReuseDelayed && p.plan.Memory.Freed[addr].Service.Namespace == namespace
}

// remember prepares the memory for the next pass.
func (p *pass) remember() {
	memory := &p.plan.Memory
	memory.Assignments = p.plan.Assignments
	for _, a := range p.active {
		a.previous = nil // the memory goes back one pass only
		if len(memory.Freed) > 0 {
			for _, has := range a.Addresses {
				delete(memory.Freed, has.Addr)
			}
		}
	}
}
