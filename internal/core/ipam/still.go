package ipam

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// A Service is still when its status shows the addresses that it holds and nothing else, as its provenance says, each from a pool that
// would give it today, and nobody else has to do with them: it shares nothing, they are not reserved and not missing a pool. In the
// next pass its claim is the first one to be looked at, so it keeps them as long as it is the same, nothing of the basis changes, and
// nobody else begins to show one of them. The last is for the pass to find out (collectActive).

// stillCount counts the addresses of one family that still Services hold: those that they have from a pool, and those that belong to
// the pool.
type stillCount struct {
	assigned int64
	used     usedCount
}

// keepStill finds the still Services among those that were decided on, and keeps what they hold for the next pass.
func (p *pass) keepStill() {
	for _, a := range p.active {
		if a.still = p.isStill(a); !a.still {
			continue
		}
		for _, has := range a.Addresses {
			e := p.allocations.entries[has.Addr]
			e.still = true
			p.allocations.entries[has.Addr] = e
			p.countStill(a.Service, has, 1)
		}
	}
}

// isStill reports whether a Service is still.
func (p *pass) isStill(a *Assignment) bool {
	s := a.Service
	if !a.Plain() || a.replacing || s.SharingKey != "" || len(s.ExternalIPs) > 0 || len(a.Addresses) == 0 ||
		len(a.Addresses) != len(s.Ingress) || !p.world.Classes.Gave(s) {
		return false
	}
	for _, has := range a.Addresses {
		e := p.allocations.entries[has.Addr]
		if has.Joined || has.Missing || has.KeptDespite != Allowed || e.holder != s || e.shared || !slices.Contains(s.Ingress, has.Addr) ||
			s.Provenance.PoolOf(has.Addr) != has.Pool.Name || p.reservations.of(has.Addr) != nil || p.world.Pools.PlaceOf(has.Addr) < 0 {
			return false
		}
	}
	return true
}

// countStill adds an address of a still Service to what is kept, or takes it away.
func (p *pass) countStill(s *lb.Service, has Address, sign int64) {
	from, family := p.byPool[has.Pool], lb.FamilyOf(has.Addr)
	from.still(family).assigned += sign
	if from.perNamespace != nil {
		from.perNamespace[s.Key.Namespace] += int(sign)
	}
	owner := p.byAge[p.world.Pools.PlaceOf(has.Addr)]
	p.countUsed(&owner.still(family).used, owner, has.Addr, sign)
}

// loosen has a pass decide on a Service anew that was still.
func (p *pass) loosen(a *Assignment) {
	for _, has := range a.Addresses {
		delete(p.allocations.entries, has.Addr)
		p.vacated = append(p.vacated, has.Addr)
		p.countStill(a.Service, has, -1)
	}
	a.still = false
}

// anew makes an assignment one that is to be decided on, and that was as it is in the pass before.
func (a *Assignment) anew(s *lb.Service, index int) {
	before := *a
	*a = Assignment{Service: s, Index: index, previous: &before}
}
