package lb

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// Pools is all pools of a cluster, with an index that finds the pool of an address in logarithmic time. It never changes.
type Pools struct {
	// byAge are the pools, the older first. owners and shares refer to them by their places in this list.
	byAge  []*Pool
	byName map[string]*Pool
	// gone are pools that existed once, by name.
	gone   map[string]*Pool
	owners *RangeOwners
	shares [][]Range
}

// NewPools indexes pools, given in any order.
func NewPools(pools []*Pool) *Pools {
	p := &Pools{byAge: slices.SortedFunc(slices.Values(pools), ComparePoolAge), byName: make(map[string]*Pool, len(pools))}
	claims := make([][]Range, len(p.byAge))
	for i, pool := range p.byAge {
		p.byName[pool.Name] = pool
		claims[i] = Subtract(pool.Ranges, pool.Exclude)
	}
	p.owners = NewRangeOwners(claims)
	p.shares = p.owners.Shares(len(p.byAge))
	return p
}

// Named returns the pool of a name; nil when there is none.
func (p *Pools) Named(name string) *Pool { return p.byName[name] }

// WithGone returns the pools with others that existed once, by name. They count for nothing but Gone. The map belongs to the
// result.
func (p *Pools) WithGone(gone map[string]*Pool) *Pools {
	with := *p
	with.gone = gone
	return &with
}

// Gone returns a pool of a name as it was before it was deleted; nil when that is not known.
func (p *Pools) Gone(name string) *Pool { return p.gone[name] }

// ByAge returns the pools, the older first. Do not change the list.
func (p *Pools) ByAge() []*Pool { return p.byAge }

// ByPriority returns the pools in the order in which they are tried: the lowest priority number first, those without one
// last, then by name.
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

// Containing returns the pool that an address belongs to, the oldest when several contain it; nil when none does.
func (p *Pools) Containing(addr netip.Addr) *Pool {
	if place := p.PlaceOf(addr); place >= 0 {
		return p.byAge[place]
	}
	return nil
}

// PlaceOf returns the place in ByAge of the pool that an address belongs to; -1 when there is none.
func (p *Pools) PlaceOf(addr netip.Addr) int { return p.owners.Owner(addr) }

// SourceOf returns the pool that an address comes from; nil when there is none. It is the pool that gave it by the
// provenance of its Service (empty if none did), if that contains the address or cannot be read at the moment: a Service
// keeps what such a pool gave. Else it is the pool that the address belongs to.
func (p *Pools) SourceOf(gave string, addr netip.Addr) *Pool {
	if pool := p.byName[gave]; pool != nil && pool.Keeps(addr) {
		return pool
	}
	return p.Containing(addr)
}

// Missing reports whether there is no pool of the name of one that gave an address.
func (p *Pools) Missing(gave string) bool { return gave != "" && p.byName[gave] == nil }

// Shares returns the ranges that belong to each pool, in order of age: its own without the excluded ones and those of an
// older pool.
func (p *Pools) Shares() [][]Range { return p.shares }

// Overlaps returns the pairs of pools that both contain an address, the pool that it belongs to first.
func (p *Pools) Overlaps() [][2]*Pool {
	pairs := make([][2]*Pool, 0, len(p.owners.Overlaps()))
	for _, pair := range p.owners.Overlaps() {
		pairs = append(pairs, [2]*Pool{p.byAge[pair[0]], p.byAge[pair[1]]})
	}
	return pairs
}
