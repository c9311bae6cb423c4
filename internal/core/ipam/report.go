package ipam

import (
	"cmp"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// report fills in the parts of the plan beside the assignments.
func (p *pass) report(others []*lb.Service) {
	p.reportPorts()
	p.remember()
	for _, s := range others {
		if cleanup, ok := p.cleanup(s); ok {
			p.plan.Cleanups = append(p.plan.Cleanups, cleanup)
		}
	}
	p.countAll()
	p.countWaiting()
	for key, list := range p.poolLists {
		list.text = verdictsText(list.verdicts, key.family)
	}
	p.reportNeverGiven()
	p.reportOverlaps()
	for _, pool := range p.pools {
		p.plan.Pools = append(p.plan.Pools, pool.use)
	}
	slices.SortFunc(p.plan.Pools, func(a, b *PoolUse) int { return strings.Compare(a.Pool.Name, b.Pool.Name) })
	p.reportReservations()
}

// cleanup returns what to remove from a Service that Daymark does not serve any more; false if it never served it, as far as
// can be proved.
func (p *pass) cleanup(s *lb.Service) (Cleanup, bool) {
	if !p.world.Classes.Gave(s) {
		return Cleanup{}, false
	}
	if p.waits(s) {
		return Cleanup{Service: s, Waits: true}, true
	}
	c := Cleanup{Service: s}
	for _, addr := range s.Ingress {
		if s.Provenance.PoolOf(addr) != "" && !(s.LoadBalancer && s.HandedOver()) {
			c.Addresses = append(c.Addresses, addr)
		}
	}
	return c, true
}

// reportOverlaps fills in which pools name the same addresses.
func (p *pass) reportOverlaps() {
	usable := func(pool *lb.Pool) []lb.Range { return lb.Subtract(pool.Ranges, pool.Exclude) }
	for _, pair := range p.world.Pools.Overlaps() {
		older, younger := p.byPool[pair[0]], p.byPool[pair[1]]
		first := lb.Intersect(usable(older.Pool), usable(younger.Pool))[0]
		older.use.Overlaps = append(older.use.Overlaps, Overlap{younger.Pool, true, first})
		younger.use.Overlaps = append(younger.use.Overlaps, Overlap{older.Pool, false, first})
	}
	for _, pool := range p.pools {
		slices.SortFunc(pool.use.Overlaps, func(a, b Overlap) int { return strings.Compare(a.Other.Name, b.Other.Name) })
	}
}

// reportReservations fills in which reservations cannot keep their addresses, and why.
func (p *pass) reportReservations() {
	r := &p.reservations
	uses := make([]ReservationUse, len(r.byAge))
	var pools []lb.Range
	if len(uses) > 0 {
		pools = lb.Merge(slices.Concat(p.world.Pools.Shares()...))
		for _, a := range p.active {
			for _, has := range a.Addresses {
				if owner := r.owners.Owner(has.Addr); owner >= 0 && !r.byAge[owner].For(a.Service) {
					uses[owner].Taken = append(uses[owner].Taken, Release{Addr: has.Addr, Cause: Taken, Holder: a.Service.Key})
				}
			}
		}
	}
	for i, reservation := range r.byAge {
		uses[i].Reservation = reservation
		if rest := lb.Subtract(reservation.Ranges, pools); len(rest) > 0 {
			uses[i].OutsidePools = rest[0]
		}
		slices.SortFunc(uses[i].Taken, func(a, b Release) int {
			return cmp.Or(a.Addr.Compare(b.Addr), a.Holder.Compare(b.Holder))
		})
	}
	for _, pair := range r.owners.Overlaps() {
		uses[pair[1]].Overlaps = append(uses[pair[1]].Overlaps, r.byAge[pair[0]].Name)
	}
	for i := range uses {
		slices.Sort(uses[i].Overlaps)
	}
	slices.SortFunc(uses, func(a, b ReservationUse) int { return strings.Compare(a.Reservation.Name, b.Reservation.Name) })
	p.plan.Reservations = uses
}
