package ipam

import (
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// missingPool returns the stand-in for a pool that gave addresses and does not exist. It gives nothing and contains nothing.
func (p *pass) missingPool(name string) *lb.Pool {
	if known := p.missing[name]; known != nil {
		return known
	}
	if p.missing == nil {
		p.missing = map[string]*lb.Pool{}
	}
	from := &lb.Pool{Name: name}
	p.missing[name] = from
	p.byPool[from] = &pool{Pool: from, use: &PoolUse{Pool: from}, missing: true}
	return from
}

// missingSince returns when the pool of an address of a Service was first seen not to exist: now, if it was there in the pass
// before. Conditions count seconds.
func (p *pass) missingSince(a *Assignment, addr netip.Addr) time.Time {
	given := &a.Service.Provenance
	if !given.MissingSince.IsZero() && given.Missing(addr) && p.world.Classes.Gave(a.Service) {
		return given.MissingSince
	}
	if has := a.held(addr); has != nil && has.Missing {
		return a.previous.MissingSince // what was decided then is not written yet
	}
	return p.world.Now.Truncate(time.Second)
}

// keepMissing records that a Service keeps an address of a pool that does not exist, and until when. There is one time for all
// its addresses: when another of its pools goes, it begins anew.
func (p *pass) keepMissing(a *Assignment, addr netip.Addr) {
	if since := p.missingSince(a, addr); since.After(a.MissingSince) {
		a.MissingSince = since
	}
	a.KeptUntil = a.MissingSince.Add(p.world.PoolGrace)
	p.decideAgain(a.KeptUntil)
}

// decideAgain makes sure that there is a pass at a time.
func (p *pass) decideAgain(at time.Time) {
	if p.plan.Next.IsZero() || at.Before(p.plan.Next) {
		p.plan.Next = at
	}
}
