package ipam

import (
	"math/big"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// countAll counts how many addresses of the pools are available, reserved and blocked.
func (p *pass) countAll() {
	for _, pool := range p.pools {
		for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
			if count := pool.use.Count(family); count != nil {
				unreserved := rangesOf(family, pool.unreserved)
				count.Available = lb.Size(unreserved)
				count.Reserved = new(big.Int).Sub(lb.Size(rangesOf(family, pool.usable)), count.Available)
				if pool.AvoidBuggyIPs {
					for _, r := range unreserved {
						count.Available.Sub(count.Available, big.NewInt(countMayBeBroadcast(r)))
					}
				}
			}
		}
	}
	if p.allocations.noting { // those of still Services are counted already
		for _, addr := range p.allocations.noted {
			p.countOne(addr, p.allocations.entries[addr])
		}
	} else {
		// order does not matter: the entries are counted.
		for addr, e := range p.allocations.entries {
			p.countOne(addr, e)
		}
	}
	for _, pool := range p.pools {
		for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
			if count, used := pool.use.Count(family), pool.used(family); count != nil {
				count.Available.Sub(count.Available, big.NewInt(used.unreserved))
				count.Reserved.Sub(count.Reserved, big.NewInt(used.reserved))
			}
		}
		if pool.Closed() || pool.Drain {
			pool.use.clearAvailable()
		}
	}
}

// usedCount is how many addresses of a pool and family have an allocation: of the unreserved and of the reserved ones.
type usedCount struct{ unreserved, reserved int64 }

// countOne counts one address that has an allocation.
func (p *pass) countOne(addr netip.Addr, e allocation) {
	place := p.world.Pools.PlaceOf(addr)
	if place < 0 {
		return
	}
	from, family := p.byAge[place], lb.FamilyOf(addr)
	count := from.use.Count(family)
	p.countUsed(from.used(family), from, addr, 1)
	switch e.cause {
	case NodeOwned:
		count.NodeOwned++
	case GatewayOwned, RouterOwned, NetworkAddress, ExternalIP:
		count.NeverGiven++
	case Unmanaged:
		count.Unmanaged++
	case ReuseDelayed:
		count.ReuseDelayed++
		if end := p.until(addr, ReuseDelayed); count.ReusableFrom.IsZero() || end.Before(count.ReusableFrom) {
			count.ReusableFrom = end
		}
	default: // Taken: hold has counted the address, unless its Service has to release it
	}
}

// countUsed adds an address that belongs to a pool to those of its addresses that have an allocation, or takes it away.
func (p *pass) countUsed(used *usedCount, owner *pool, addr netip.Addr, sign int64) {
	switch {
	case p.never.rangeOf(addr) != nil: // not counted as available
	case p.reservations.of(addr) != nil:
		used.reserved += sign
	case !(owner.AvoidBuggyIPs && mayBeBroadcast(addr)):
		used.unreserved += sign
	}
}

// countWaiting counts of each pool the Services that wait for one of its addresses. Many Services share a list of verdicts, so each
// list is read once.
func (p *pass) countWaiting() {
	waiting, lists := map[*Verdict]int64{}, []*Missing{}
	for _, a := range p.active {
		for j := range a.Missing {
			m := &a.Missing[j]
			if len(m.Verdicts) == 0 || a.hasOneOfTwo() {
				continue
			}
			if waiting[&m.Verdicts[0]]++; waiting[&m.Verdicts[0]] == 1 {
				lists = append(lists, m)
			}
		}
	}
	for _, m := range lists {
		for i := range m.Verdicts {
			if v := &m.Verdicts[i]; v.Cause == Exhausted {
				v.Use.Count(m.Family).Waiting += waiting[&m.Verdicts[0]]
			}
		}
	}
}

// clearAvailable sets the number of available addresses to 0, for a pool that gives nothing.
func (u *PoolUse) clearAvailable() {
	for _, count := range []*Count{u.IPv4, u.IPv6} {
		if count != nil {
			count.Available = new(big.Int)
		}
	}
}

// rangesOf returns the ranges of one family of a merged list.
func rangesOf(family lb.Family, ranges []lb.Range) []lb.Range {
	split := slices.IndexFunc(ranges, func(r lb.Range) bool { return !r.From.Is4() })
	if split < 0 {
		split = len(ranges)
	}
	if family == lb.IPv6 {
		return ranges[split:]
	}
	return ranges[:split]
}
