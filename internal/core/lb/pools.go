package lb

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// Pools is all pools of a cluster, indexed: which one an address belongs to costs a logarithm of their number. It is
// made once for a set of pools and never changes.
type Pools struct {
	// byAge, the older first; the numbers of the territory are places in it.
	byAge     []*Pool
	byName    map[string]*Pool
	territory *RangeOwners
	shares    [][]Range
}

// NewPools indexes pools, which are given in any order.
func NewPools(pools []*Pool) *Pools {
	p := &Pools{byAge: slices.SortedFunc(slices.Values(pools), ComparePoolAge), byName: make(map[string]*Pool, len(pools))}
	claims := make([][]Range, len(p.byAge))
	for i, pool := range p.byAge {
		p.byName[pool.Name] = pool
		claims[i] = Subtract(pool.Ranges, pool.Exclude)
	}
	p.territory = NewRangeOwners(claims)
	p.shares = p.territory.Shares(len(p.byAge))
	return p
}

// Named finds a pool; nil when there is none of that name.
func (p *Pools) Named(name string) *Pool { return p.byName[name] }

// ByAge lists the pools, the older first. Do not change the list.
func (p *Pools) ByAge() []*Pool { return p.byAge }

// ByPriority lists the pools in the order in which they are asked for an address: the lowest priority number first and
// those without one last, then by name.
func (p *Pools) ByPriority() []*Pool {
	rank := func(pool *Pool) int32 {
		if pool.Priority == 0 {
			return math.MaxInt32
		}
		return pool.Priority
	}
	return slices.SortedFunc(slices.Values(p.byAge), func(a, b *Pool) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Name, b.Name))
	})
}

// Containing finds the pool that has an address, the oldest where several name it; nil when none does.
func (p *Pools) Containing(addr netip.Addr) *Pool {
	if owner := p.territory.Owner(addr); owner >= 0 {
		return p.byAge[owner]
	}
	return nil
}

// Of finds the pool that an address of a Service belongs to, nil when there is none: the one that the Service names as
// its source as long as it contains the address or cannot be read at the moment, for what such a pool gave stays; else
// the one that has the address.
func (p *Pools) Of(s *Service, addr netip.Addr) *Pool {
	var unreadable *Pool
	for _, name := range s.Pools {
		pool := p.byName[name]
		switch {
		case pool == nil:
		case pool.Contains(addr):
			return pool
		case pool.Err != nil && unreadable == nil:
			unreadable = pool
		}
	}
	return cmp.Or(unreadable, p.Containing(addr))
}

// Shares lists, for each pool in order of age, the ranges it has: its own without those excluded or of an older pool.
func (p *Pools) Shares() [][]Range { return p.shares }

// Overlaps lists the pairs of pools that name an address both: the one that has it, then the other.
func (p *Pools) Overlaps() [][2]*Pool {
	pairs := make([][2]*Pool, 0, len(p.territory.Overlaps()))
	for _, rivals := range p.territory.Overlaps() {
		pairs = append(pairs, [2]*Pool{p.byAge[rivals[0]], p.byAge[rivals[1]]})
	}
	return pairs
}
