package ipam

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// reservationIndex finds the reservations of an address and of a Service.
type reservationIndex struct {
	// byAge are the reservations, the older first. An address that two of them name belongs to the older.
	byAge  []*lb.Reservation
	owners *lb.RangeOwners
	// shares are the ranges that belong to each reservation, and all are all of them merged.
	shares [][]lb.Range
	all    []lb.Range
	// byService and byNamespace are the places in byAge of the reservations that may be for a Service.
	byService   map[lb.Key][]int
	byNamespace map[string][]int
	// parts of each reservation, made when they are first needed.
	parts [][]reservationPart
}

// reservationPart is the addresses of one reservation and one family in one pool.
type reservationPart struct {
	freeSearch
	pool *pool
}

func prepareReservations(from []*lb.Reservation) reservationIndex {
	r := reservationIndex{
		byService: map[lb.Key][]int{}, byNamespace: map[string][]int{}, parts: make([][]reservationPart, len(from)),
	}
	r.byAge = slices.SortedFunc(slices.Values(from), func(a, b *lb.Reservation) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
	})
	claims := make([][]lb.Range, len(r.byAge))
	for i, reservation := range r.byAge {
		claims[i] = reservation.Ranges
		if reservation.Service != (lb.Key{}) {
			r.byService[reservation.Service] = append(r.byService[reservation.Service], i)
		} else {
			r.byNamespace[reservation.Namespace] = append(r.byNamespace[reservation.Namespace], i)
		}
	}
	r.owners = lb.NewRangeOwners(claims)
	r.shares = r.owners.Shares(len(r.byAge))
	r.all = lb.Merge(slices.Concat(r.shares...))
	return r
}

// of returns the reservation that an address belongs to; nil when there is none.
func (r *reservationIndex) of(addr netip.Addr) *lb.Reservation {
	if len(r.all) == 0 {
		return nil
	}
	if owner := r.owners.Owner(addr); owner >= 0 {
		return r.byAge[owner]
	}
	return nil
}

// matching returns the places of the reservations that are for a Service, the older first.
func (r *reservationIndex) matching(s *lb.Service) []int {
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

// findReserved looks for a free address that is reserved for a Service.
func (p *pass) findReserved(a *Assignment, family lb.Family) (Address, bool) {
	for _, place := range p.reservations.matching(a.Service) {
		parts := p.reservationParts(place)
		for i := range parts {
			part := &parts[i]
			if len(part.ranges) == 0 || lb.FamilyOf(part.ranges[0].From) != family ||
				p.poolCause(check{assignment: a, pool: part.pool, family: family, requested: true}) != Allowed {
				continue
			}
			part.atFree = false // skip is called for the search of the pool, and not for this one
			if addr, ok := part.free(&p.allocations, false); ok {
				return Address{Addr: addr, Pool: part.pool.Pool}, true
			}
		}
	}
	return Address{}, false
}

// reservationParts returns the parts of a reservation, by pool in order of priority.
func (p *pass) reservationParts(place int) []reservationPart {
	if p.reservations.parts[place] == nil {
		parts := []reservationPart{}
		for _, pool := range p.pools {
			common := lb.Intersect(pool.usable, p.reservations.shares[place])
			split, _ := slices.BinarySearchFunc(common, lb.IPv6, func(r lb.Range, family lb.Family) int {
				return cmp.Compare(lb.FamilyOf(r.From), family)
			})
			for _, ranges := range [][]lb.Range{common[:split], common[split:]} {
				if len(ranges) > 0 {
					parts = append(parts, reservationPart{freeSearch{ranges: ranges}, pool})
				}
			}
		}
		p.reservations.parts[place] = parts
	}
	return p.reservations.parts[place]
}
