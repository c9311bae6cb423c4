package ipam

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// reserved is the reservations of a pass, indexed.
type reserved struct {
	// byAge, the older first: it has the addresses that two name.
	byAge     []*lb.Reservation
	territory *lb.RangeOwners
	shares    [][]lb.Range
	// all ranges that are kept for anybody.
	all []lb.Range
	// Places of the reservations that may be for a Service, by its key and by its namespace.
	byService   map[lb.Key][]int
	byNamespace map[string][]int
	// parcels of each, made when they are first needed.
	parcels [][]parcel
}

// parcel is addresses of one reservation in one pool.
type parcel struct {
	space
	pool *pool
}

func prepareReservations(from []*lb.Reservation) reserved {
	r := reserved{byService: map[lb.Key][]int{}, byNamespace: map[string][]int{}, parcels: make([][]parcel, len(from))}
	r.byAge = slices.SortedFunc(slices.Values(from), func(a, b *lb.Reservation) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
	})
	claims := make([][]lb.Range, len(r.byAge))
	for i, reservation := range r.byAge {
		if reservation.Err != nil {
			continue
		}
		claims[i] = reservation.Ranges
		if reservation.Service != (lb.Key{}) {
			r.byService[reservation.Service] = append(r.byService[reservation.Service], i)
		} else {
			r.byNamespace[reservation.Namespace] = append(r.byNamespace[reservation.Namespace], i)
		}
	}
	r.territory = lb.NewRangeOwners(claims)
	r.shares = r.territory.Shares(len(r.byAge))
	r.all = lb.Merge(slices.Concat(r.shares...))
	return r
}

// of finds the reservation that keeps an address; nil when none does.
func (r *reserved) of(addr netip.Addr) *lb.Reservation {
	if len(r.all) == 0 {
		return nil
	}
	if owner := r.territory.Owner(addr); owner >= 0 {
		return r.byAge[owner]
	}
	return nil
}

// places of the reservations for a Service, the older first.
func (r *reserved) places(s *lb.Service) []int {
	if len(r.all) == 0 {
		return nil
	}
	places := slices.Clone(r.byService[s.Key])
	for _, i := range r.byNamespace[s.Key.Namespace] {
		if r.byAge[i].For(s) {
			places = append(places, i)
		}
	}
	slices.Sort(places)
	return places
}

// reservedFree finds an address that is kept for a Service.
func (p *pass) reservedFree(s *lb.Service, family lb.Family, serves func(*pool) bool) (Address, bool) {
	for _, place := range p.reserved.places(s) {
		parcels := p.parcels(place)
		for i := range parcels {
			parcel := &parcels[i]
			if len(parcel.stretches) == 0 || lb.FamilyOf(parcel.stretches[0].From) != family || !serves(parcel.pool) {
				continue
			}
			parcel.found = false // whoever takes one tells the pool's own space only
			if addr, ok := parcel.free(&p.book, false); ok {
				return Address{Addr: addr, Pool: parcel.pool.Pool}, true
			}
		}
	}
	return Address{}, false
}

// parcels of a reservation, by pool in order of priority, the families apart.
func (p *pass) parcels(place int) []parcel {
	if p.reserved.parcels[place] == nil {
		parcels := []parcel{}
		for _, pool := range p.pools {
			common := lb.Intersect(pool.mine, p.reserved.shares[place])
			split, _ := slices.BinarySearchFunc(common, lb.IPv6, func(r lb.Range, family lb.Family) int {
				return cmp.Compare(lb.FamilyOf(r.From), family)
			})
			for _, ranges := range [][]lb.Range{common[:split], common[split:]} {
				if len(ranges) > 0 {
					parcels = append(parcels, parcel{space{stretches: ranges}, pool})
				}
			}
		}
		p.reserved.parcels[place] = parcels
	}
	return p.reserved.parcels[place]
}
