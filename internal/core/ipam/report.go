package ipam

import (
	"cmp"
	"math/big"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// report says what there is to say beside the assignments.
func (p *pass) report(others []*lb.Service) {
	p.remember()
	for _, s := range others {
		if former, ok := p.former(s); ok {
			p.plan.Former = append(p.plan.Former, former)
		}
	}
	p.countAll()
	for key, r := range p.routes {
		r.answers = answers(r.verdicts, key.family)
	}
	p.findNodes()
	p.findOverlaps()
	for _, pool := range p.pools {
		p.plan.Pools = append(p.plan.Pools, pool.use)
	}
	slices.SortFunc(p.plan.Pools, func(a, b *PoolUse) int { return strings.Compare(a.Pool.Name, b.Pool.Name) })
	p.reportReservations()
}

// former finds the addresses of ours that a Service still shows though it is not ours any more. Only one that carries our
// annotation was ever ours: a Service of somebody else may show whatever address it likes. When a pool that the annotation
// names is gone, nobody can tell which addresses were its; the annotation, which goes with them, says that some were.
func (p *pass) former(s *lb.Service) (Former, bool) {
	if len(s.Pools) == 0 {
		return Former{}, false
	}
	gone := slices.ContainsFunc(s.Pools, func(name string) bool { return p.world.Pools.Named(name) == nil })
	f := Former{Service: s}
	for _, addr := range s.Ingress {
		if gone || p.world.Pools.Of(s, addr) != nil {
			f.Addresses = append(f.Addresses, addr)
		}
	}
	return f, len(f.Addresses) > 0
}

// countAll counts what the pools have left.
func (p *pass) countAll() {
	for _, pool := range p.pools {
		for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
			if count := pool.use.Of(family); count != nil {
				general := of(family, pool.general)
				count.Available = lb.Size(general)
				count.Reserved = new(big.Int).Sub(lb.Size(of(family, pool.mine)), count.Available)
				if pool.AvoidBuggyIPs {
					for _, r := range general {
						count.Available.Sub(count.Available, big.NewInt(countBuggy(r)))
					}
				}
			}
		}
	}
	used := map[*Count]*tally{}
	// order does not matter: the entries are counted.
	for addr, e := range p.book.entries {
		p.countOne(used, addr, e)
	}
	// order does not matter: every count has a tally of its own.
	for count, t := range used {
		count.Available.Sub(count.Available, big.NewInt(t.general))
		count.Reserved.Sub(count.Reserved, big.NewInt(t.reserved))
	}
	for _, pool := range p.pools {
		if pool.Err != nil || pool.Drain {
			pool.use.giveNothing()
		}
	}
}

// tally is how many addresses of a pool and family are in the book, of those for anybody and of those reserved.
type tally struct{ general, reserved int64 }

func (p *pass) countOne(used map[*Count]*tally, addr netip.Addr, e entry) {
	from := p.world.Pools.Containing(addr)
	if from == nil {
		return
	}
	count := p.byPool[from].use.Of(lb.FamilyOf(addr))
	t := used[count]
	if t == nil {
		t = &tally{}
		used[count] = t
	}
	switch {
	case p.reserved.of(addr) != nil:
		t.reserved++
	case !(from.AvoidBuggyIPs && buggy(addr)):
		t.general++
	}
	switch {
	case e.holder != nil:
	case e.why == OfNode:
		count.OfNodes++
	case e.why == Foreign:
		count.Foreign++
	case e.why == Resting:
		count.Resting++
		if end := p.until(addr, Resting); count.Rested.IsZero() || end.Before(count.Rested) {
			count.Rested = end
		}
	}
}

// giveNothing says that nothing is available, whatever is free.
func (u *PoolUse) giveNothing() {
	for _, count := range []*Count{u.IPv4, u.IPv6} {
		if count != nil {
			count.Available = new(big.Int)
		}
	}
}

// of gives the ranges of one family of a merged list.
func of(family lb.Family, ranges []lb.Range) []lb.Range {
	split := slices.IndexFunc(ranges, func(r lb.Range) bool { return !r.From.Is4() })
	if split < 0 {
		split = len(ranges)
	}
	if family == lb.IPv6 {
		return ranges[split:]
	}
	return ranges[:split]
}

// findNodes tells the pools which of their addresses are nodes' own.
func (p *pass) findNodes() {
	for _, node := range p.world.Nodes {
		for _, addr := range node.Own() {
			if from := p.world.Pools.Containing(addr); from != nil {
				use := p.byPool[from].use
				use.Nodes = append(use.Nodes, NodeAddress{addr, node.Name})
			}
		}
	}
	for _, pool := range p.pools {
		slices.SortFunc(pool.use.Nodes, func(a, b NodeAddress) int { return cmp.Or(a.Addr.Compare(b.Addr), strings.Compare(a.Node, b.Node)) })
	}
}

// findOverlaps tells the pools which others name their addresses.
func (p *pass) findOverlaps() {
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

// reportReservations says which reservations cannot keep what they should.
func (p *pass) reportReservations() {
	r := &p.reserved
	uses := make([]ReservationUse, len(r.byAge))
	var pools []lb.Range
	if len(uses) > 0 {
		pools = lb.Merge(slices.Concat(p.world.Pools.Shares()...))
		for i := range p.plan.Assignments {
			a := &p.plan.Assignments[i]
			for _, has := range a.Addresses {
				if owner := r.territory.Owner(has.Addr); owner >= 0 && !r.byAge[owner].For(a.Service) {
					uses[owner].Taken = append(uses[owner].Taken, Loss{has.Addr, Taken, a.Service.Key})
				}
			}
		}
	}
	for i, reservation := range r.byAge {
		uses[i].Reservation = reservation
		if rest := lb.Subtract(reservation.Ranges, pools); len(rest) > 0 {
			uses[i].OutsidePools = rest[0]
		}
		slices.SortFunc(uses[i].Taken, func(a, b Loss) int { return cmp.Or(a.Addr.Compare(b.Addr), a.Holder.Compare(b.Holder)) })
	}
	for _, rivals := range r.territory.Overlaps() {
		uses[rivals[1]].Overlaps = append(uses[rivals[1]].Overlaps, r.byAge[rivals[0]].Name)
	}
	for i := range uses {
		slices.Sort(uses[i].Overlaps)
	}
	slices.SortFunc(uses, func(a, b ReservationUse) int { return strings.Compare(a.Reservation.Name, b.Reservation.Name) })
	p.plan.Reservations = uses
}
