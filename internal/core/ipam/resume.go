package ipam

import (
	"net/netip"
	"slices"
	"sort"

	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// minChanges is how many Services may always change before all are decided on anew; in a large cluster it is a quarter.
const minChanges = 64

// serviceChanges are how the Services of a World differ from those of the pass before.
type serviceChanges struct {
	// gone are those of before that are there no more, or not as they were. come are the places of those that were not there.
	gone []*lb.Service
	come []int
	// changed are, by their places in the Assignments of before, the places of those that are served still and were edited; removed are
	// the places in the Assignments of those that are not served any more.
	changed map[int]int
	removed []int
	// inserted are the places of those that were not served.
	inserted []int
}

// resume makes a pass that decides only on Services that are not still; nil when all are to be decided on.
func (p *Planner) resume(w *World) *pass {
	c := p.changesTo(w.Services)
	if len(c.gone)+len(c.come) > max(minChanges, len(w.Services)/4) || !c.find(w, p.memory.Assignments) {
		return nil
	}
	next := newPass(w)
	next.allocations.entries, next.allocations.noting = p.entries, true
	next.others, next.external = c.others(w, p.others), c.usersOutside(w, p.external)
	next.prepareGround()
	for i, pool := range next.byAge {
		pool.still4, pool.still6, pool.perNamespace = p.pools[i].still4, p.pools[i].still6, p.pools[i].perNamespace
	}
	next.undo(p)
	next.edit(c, p.memory.Assignments, p.index)
	next.collectActive()
	for i, pool := range next.byAge {
		pool.resume(p.pools[i])
	}
	next.decide()
	return next
}

// changesTo finds how a list of Services differs from that of the pass before, and notes where those are that were there. It is right for
// lists in any order, and fast for lists in order of key.
func (p *Planner) changesTo(services []*lb.Service) *serviceChanges {
	c := &serviceChanges{changed: map[int]int{}}
	before := p.services
	p.index = slices.Grow(p.index[:0], len(before))[:len(before)]
	i := 0
	for j, s := range services {
		for i < len(before) && before[i] != s && before[i].Key.Compare(s.Key) <= 0 {
			c.gone = append(c.gone, before[i])
			i++
		}
		if i < len(before) && before[i] == s {
			p.index[i] = j
			i++
		} else {
			c.come = append(c.come, j)
		}
	}
	c.gone = append(c.gone, before[i:]...)
	return c
}

// find finds what the changes are to assignments. false: it cannot be told.
func (c *serviceChanges) find(w *World, assignments []Assignment) bool {
	places := make(map[types.UID]int, len(c.gone))
	for _, s := range c.gone {
		if !w.Classes.Ours(s) {
			continue
		}
		if _, twice := places[s.UID]; twice {
			return false
		}
		places[s.UID] = placeOf(assignments, s)
	}
	for _, j := range c.come {
		s := w.Services[j]
		if !w.Classes.Ours(s) {
			continue
		}
		place, known := places[s.UID]
		switch {
		case !known:
			c.inserted = append(c.inserted, j)
		case age(s).compare(age(assignments[place].Service)) != 0:
			return false // another Service with its UID
		default:
			c.changed[place] = j
			delete(places, s.UID)
		}
	}
	// order does not matter: they are sorted.
	for _, place := range places {
		c.removed = append(c.removed, place)
	}
	slices.Sort(c.removed)
	slices.SortFunc(c.inserted, func(i, j int) int { return age(w.Services[i]).compare(age(w.Services[j])) })
	return true
}

// placeOf returns the place of a Service among assignments, the oldest first.
func placeOf(assignments []Assignment, s *lb.Service) int {
	wanted := age(s)
	return sort.Search(len(assignments), func(i int) bool { return age(assignments[i].Service).compare(wanted) >= 0 })
}

// others are the Services that are not ours and count, given those of before.
func (c *serviceChanges) others(w *World, before []*lb.Service) []*lb.Service {
	return c.edit(w, before, func(s *lb.Service) bool { return isOther(w, s) }, compareKeys)
}

// usersOutside are the Services with addresses in spec.externalIPs, given those of before.
func (c *serviceChanges) usersOutside(w *World, before []*lb.Service) []*lb.Service {
	return c.edit(w, before, isExternal, compareAges)
}

// edit returns a list of Services of one sort, in order, given that of before.
func (c *serviceChanges) edit(w *World, before []*lb.Service, of func(*lb.Service) bool, compare func(a, b *lb.Service) int) []*lb.Service {
	gone := map[*lb.Service]bool{}
	for _, s := range c.gone {
		if of(s) {
			gone[s] = true
		}
	}
	list := before
	if len(gone) > 0 {
		list = slices.DeleteFunc(slices.Clone(before), func(s *lb.Service) bool { return gone[s] })
	}
	list = slices.Clip(list)
	for _, j := range c.come {
		if s := w.Services[j]; of(s) {
			list = append(list, s)
		}
	}
	if len(list) > 0 && (len(gone) > 0 || len(list) > len(before)) {
		slices.SortFunc(list, compare)
	}
	return list
}

// undo takes back what the pass before added for others than still Services.
func (p *pass) undo(last *Planner) {
	for _, addr := range last.noted {
		if !p.allocations.entries[addr].still {
			delete(p.allocations.entries, addr)
		}
	}
	p.vacated = slices.Clone(last.noted)
	for _, c := range last.charges {
		c.counts[c.namespace]--
	}
}

// edit makes the Assignments of the pass before those of this one. Index has the new places of the Services that are as they were.
func (p *pass) edit(c *serviceChanges, list []Assignment, index []int) {
	// order does not matter: each is changed for itself.
	for place, j := range c.changed {
		if list[place].still {
			p.loosen(&list[place])
		}
		list[place].anew(p.world.Services[j], j)
	}
	for _, place := range c.removed {
		if list[place].still {
			p.loosen(&list[place])
		}
		before := list[place]
		p.gone = append(p.gone, &before)
	}
	list = withoutPlaces(list, c.removed)
	for i := range list {
		switch a := &list[i]; {
		case a.previous != nil: // it was changed
		case a.still:
			a.Index = index[a.Index]
		default:
			a.anew(a.Service, index[a.Index])
		}
	}
	p.plan.Assignments = p.withInserted(list, c.inserted)
}

// withoutPlaces removes assignments from a list, given their places in order.
func withoutPlaces(list []Assignment, places []int) []Assignment {
	if len(places) == 0 {
		return list
	}
	to := places[0]
	for from := to; from < len(list); from++ {
		if len(places) > 0 && places[0] == from {
			places = places[1:]
			continue
		}
		list[to] = list[from]
		to++
	}
	clear(list[to:])
	return list[:to]
}

// withInserted adds assignments for Services, given by their places, the oldest first. Most are younger than all others.
func (p *pass) withInserted(list []Assignment, places []int) []Assignment {
	from := len(list) - 1
	list = append(list, make([]Assignment, len(places))...)
	for to := len(list) - 1; len(places) > 0; to-- {
		last := places[len(places)-1]
		s := p.world.Services[last]
		if from >= 0 && age(list[from].Service).compare(age(s)) > 0 {
			list[to] = list[from]
			from--
			continue
		}
		list[to] = Assignment{Service: s, Index: last}
		places = places[:len(places)-1]
	}
	return list
}

// collectActive finds the assignments that are to be decided on: those of Services that are not still, and those of still ones of
// which another Service shows an address.
func (p *pass) collectActive() {
	list := p.plan.Assignments
	active := []int{}
	for i := range list {
		if !list[i].still {
			active = append(active, i)
		}
	}
	loosen := func(addrs []netip.Addr) {
		for _, addr := range addrs {
			if e := p.allocations.entries[addr]; e.still {
				place := placeOf(list, e.holder)
				p.loosen(&list[place])
				list[place].anew(e.holder, list[place].Index)
				active = append(active, place)
			}
		}
	}
	for _, place := range slices.Clone(active) {
		loosen(list[place].Service.Ingress)
	}
	for _, s := range p.external {
		loosen(s.ExternalIPs)
	}
	for _, s := range p.others {
		loosen(p.shownBy(s))
	}
	slices.Sort(active)
	p.plan.decided = active
	p.active = make([]*Assignment, len(active))
	for i, place := range active {
		p.active[i] = &list[place]
	}
}

// resume has a pool begin with what still Services hold, and search where the pass before ended.
func (p *pool) resume(before *pool) {
	for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
		if count := p.use.Count(family); count != nil {
			count.Assigned = p.still(family).assigned
		}
		*p.used(family) = p.still(family).used
		p.search(family).ranges, p.search(family).atFree = before.search(family).ranges, false
	}
}

// rewind has the searches for free addresses go back to those that were not free in the pass before and are now.
func (p *pass) rewind() {
	for _, addr := range p.vacated {
		place := p.world.Pools.PlaceOf(addr)
		if place < 0 || !p.allocations.free(addr) {
			continue
		}
		pool, family := p.byAge[place], lb.FamilyOf(addr)
		search := pool.search(family)
		if len(search.ranges) == 0 || addr.Less(search.ranges[0].From) {
			search.ranges = rangesFrom(addr, rangesOf(family, pool.unreserved))
		}
	}
	p.vacated = nil
}

// rangesFrom are the parts of ranges that are not below an address.
func rangesFrom(addr netip.Addr, ranges []lb.Range) []lb.Range {
	i, _ := slices.BinarySearchFunc(ranges, addr, func(r lb.Range, addr netip.Addr) int { return r.To.Compare(addr) })
	rest := slices.Clone(ranges[i:])
	if len(rest) > 0 && rest[0].From.Less(addr) {
		rest[0].From = addr
	}
	return rest
}

func compareKeys(a, b *lb.Service) int { return a.Key.Compare(b.Key) }

func compareAges(a, b *lb.Service) int { return age(a).compare(age(b)) }
