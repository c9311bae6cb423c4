package ipam

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// find returns an address that a Service may have; ok is false when there is none.
func (p *pass) find(a *Assignment, r request) (address Address, ok bool) {
	if r.addr.IsValid() {
		address, verdict := p.tryAddress(a, r.addr)
		return address, verdict.Cause == Allowed
	}
	return p.findAny(a, r.family)
}

// tryAddress returns a certain address with its pool. If the Service may not have it, the Verdict has a Cause.
func (p *pass) tryAddress(a *Assignment, addr netip.Addr) (Address, Verdict) {
	from := p.world.Pools.Containing(addr)
	if from == nil {
		return Address{}, Verdict{Cause: NotInPool}
	}
	pool := p.byPool[from]
	cause := p.addressCause(check{assignment: a, pool: pool, family: lb.FamilyOf(addr), requested: true, addr: addr})
	if cause == Allowed {
		return Address{Addr: addr, Pool: from}, Verdict{}
	}
	return Address{}, Verdict{
		Pool: pool.Name, Use: pool.use, Cause: cause, Holder: p.holderName(addr, a.Service, cause), Until: p.until(addr, cause),
	}
}

// holderName returns the name of what has an address that a Service cannot have; empty where the Cause has none.
func (p *pass) holderName(addr netip.Addr, s *lb.Service, cause Cause) string {
	switch cause {
	case NodeOwned, GatewayOwned, RouterOwned, NetworkAddress, ExternalIP, ClusterRange, SpecialRange:
		return p.never.user(addr, s)
	case Reserved:
		return p.reservations.of(addr).Name
	case Taken, Unmanaged:
		if other := p.allocations.conflict(addr, s, true); other != nil {
			return nameFor(s, other.Key)
		}
		return nameFor(s, p.allocations.shown[addr][0].Key) // it may share the address, and does not hold it
	default:
		return ""
	}
}

// nameFor returns the name of a Service in a message for the users of another. They may not know those of another namespace.
func nameFor(reader *lb.Service, named lb.Key) string {
	if named.Namespace != reader.Key.Namespace {
		return "a Service of another namespace"
	}
	return "Service " + named.String()
}

// joins reports whether another Service of the same namespace has an address, so that one more does not count for the
// namespace's quota.
func (p *pass) joins(s *lb.Service, addr netip.Addr) bool {
	return slices.ContainsFunc(p.allocations.holders(addr), func(holder *lb.Service) bool {
		return holder != s && holder.Key.Namespace == s.Key.Namespace
	})
}

// findAny looks for any address of a family: one that is reserved for the Service, else one that it had before and that is
// free, else one that it may share, else the lowest free address of the first pool that serves it.
func (p *pass) findAny(a *Assignment, family lb.Family) (Address, bool) {
	s := a.Service
	requested := len(s.RequestedPools) > 0
	if address, ok := p.findReserved(a, family); ok {
		return address, true
	}
	if address, ok := p.findPrevious(a, family); ok {
		return address, true
	}
	if s.SharingKey != "" {
		if address, ok := p.findShareable(a, family); ok {
			return address, true
		}
	}
	if requested {
		return p.firstFree(a, family, p.candidates(s), true)
	}
	return p.firstFree(a, family, p.poolListOf(a, family).withFree(&p.allocations, family), false)
}

// firstFree returns the lowest free address of the first of some pools that gives one.
func (p *pass) firstFree(a *Assignment, family lb.Family, pools []*pool, requested bool) (Address, bool) {
	for _, pool := range pools {
		if p.poolCause(check{assignment: a, pool: pool, family: family, requested: requested}) != Allowed {
			continue
		}
		if addr, ok := pool.free(&p.allocations, family); ok {
			return Address{Addr: addr, Pool: pool.Pool}, true
		}
	}
	return Address{}, false
}

// candidates returns the pools that a Service names, in its order of preference. When it names none it returns all pools in
// order of priority.
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
