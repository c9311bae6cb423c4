package announce

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sort"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// What follows from the Services is worked out by address: an address of which no Service has changed stays as it was. So a new
// Service costs about the same however many there are.

// maxRanks bounds the Ranks that are kept beside as many as there are Services.
const maxRanks = 1024

// find a Service in a list in order of key.
func findService(services []*lb.Service, key lb.Key) (int, bool) {
	return slices.BinarySearchFunc(services, key, func(s *lb.Service, key lb.Key) int { return s.Key.Compare(key) })
}

// concerned is what some changes concern.
type concerned struct {
	keys  map[lb.Key]bool
	addrs map[netip.Addr]bool
	// services that are there now and have one of the keys or addresses, in order of key.
	services []*lb.Service
	// sorted are the addresses in order.
	sorted []netip.Addr
}

// note notes a Service that is there no more, or as it is now; nil: there is none.
func (c *concerned) note(s *lb.Service) {
	if s == nil {
		return
	}
	c.keys[s.Key] = true
	for _, addr := range s.Ingress {
		c.addrs[addr] = true
	}
}

// concern takes changes in, and returns what they and some other changes at addresses concern.
func (d *derived) concern(w *World, changes *Changes, at []netip.Addr) *concerned {
	c := &concerned{keys: map[lb.Key]bool{}, addrs: map[netip.Addr]bool{}}
	for _, change := range changes.Services {
		c.note(change.Before)
		c.note(change.Now)
	}
	d.at = d.at.with(changes.Services)
	touched := map[*lb.Service]bool{}
	// order does not matter: what they concern is a set
	for key := range changes.Endpoints {
		if i, found := findService(w.Services, key); found {
			c.note(w.Services[i])
		}
	}
	for _, addr := range at {
		for _, s := range d.at.of(addr) {
			c.note(s)
		}
	}
	for key := range c.keys { // one without an address has a health check
		if i, found := findService(w.Services, key); found {
			touched[w.Services[i]] = true
		}
	}
	for addr := range c.addrs {
		for _, s := range d.at.of(addr) {
			touched[s] = true
		}
	}
	c.services = slices.SortedFunc(maps.Keys(touched), func(a, b *lb.Service) int { return a.Key.Compare(b.Key) })
	c.sorted = slices.SortedFunc(maps.Keys(c.addrs), netip.Addr.Compare)
	return c
}

// update returns what derive does, given what that returned for a World which differs by changes alone, and by what the kernels of nodes have
// at some addresses; and the addresses that these concern, in order, or that it was worked out anew.
func (d *derived) update(r *rules, changes *Changes, at []netip.Addr) (_ *derived, changed []netip.Addr, anew bool) {
	if len(changes.Services) == 0 && len(changes.Endpoints) == 0 && len(at) == 0 {
		return d, nil, false
	}
	services := len(r.world.Services)
	if len(changes.Services) > services/4 || len(d.near.made) > services+maxRanks {
		return r.derive(), nil, true
	}
	c := d.concern(r.world, changes, at)
	switch {
	case len(c.keys) == 0:
		return d, nil, false
	case len(c.keys) > services/4:
		return r.derive(), nil, true
	}
	ranked := d.updateAffine(c)
	part := r.only(c.services)
	d.near.rules = part
	now := *d
	var moved bool
	now.routes, moved = replacedAt(d.routes, part.ownRoutes(), c.sorted, routeAddr, (*route).same)
	if moved || ranked {
		r.affine = d.affine
		now.paths, now.limited = d.pathsNow(r, now.routes, c.sorted), map[limitKey]*limitedPaths{}
	}
	now.demands, _ = replacedAt(d.demands, part.demands(d.near), c.sorted, func(x *demand) netip.Addr { return x.addr }, (*demand).same)
	now.routed, _ = replacedAt(d.routed, part.routed(), c.sorted, func(x *RoutedAddress) netip.Addr { return x.Addr }, (*RoutedAddress).same)
	now.healthPorts = replaced(d.healthPorts, part.healthPorts(), func(x HealthPort) bool { return c.keys[x.Service] }, HealthPort.compare)
	now.healthPaths = d.healthPaths.with(c.keys, part.healthPaths(), r.healthPaths)
	return &now, c.sorted, false
}

// pathsNow are the paths as far as they can be told from those before, given the routes and the addresses at which these may have changed.
func (d *derived) pathsNow(r *rules, routes []route, at []netip.Addr) map[advertisementSet][]Path {
	now := make(map[advertisementSet][]Path, len(d.paths))
	// order does not matter: each set stands for itself
	for meant, before := range d.paths {
		if r.single(meant) {
			now[meant] = r.pathsAt(before, routes, at, meant, d.attributes[meant])
		}
	}
	return now
}

// updateAffine brings the Services of addresses with session affinity up to date. It reports whether another set of addresses has it.
func (d *derived) updateAffine(c *concerned) (changed bool) {
	for _, addr := range c.sorted {
		// of the Services at one address, those that also have others count here alone
		affine := affineServices(d.at.of(addr))[addr]
		changed = changed || (len(affine) > 0) != (len(d.affine[addr]) > 0)
		if len(affine) == 0 {
			delete(d.affine, addr)
			continue
		}
		if d.affine == nil {
			d.affine = map[netip.Addr][]*lb.Service{}
		}
		d.affine[addr] = affine
	}
	return changed
}

// only are the rules of a World that has some of the Services alone: what is worked out for an address is right if all of its Services
// are among them.
func (r *rules) only(services []*lb.Service) *rules {
	world, part := *r.world, *r
	world.Services, part.world, part.affine = services, &world, affineServices(services)
	return &part
}

// replacedAt is a list in order of address in which those of another one take the place of all at some addresses, which are in order;
// those of it at other addresses are left out. Where nothing differs it is the same list, and false.
func replacedAt[E any](list, others []E, at []netip.Addr, addrOf func(*E) netip.Addr, same func(a, b *E) bool) (result []E, changed bool) {
	pieces, left := make([][]E, 0, 2*len(at)+1), list
	length := 0
	take := func(piece []E) {
		pieces, length = append(pieces, piece), length+len(piece)
	}
	for _, addr := range at {
		from := firstAt(left, addr, addrOf)
		to := from
		for to < len(left) && addrOf(&left[to]) == addr {
			to++
		}
		others = others[firstAt(others, addr, addrOf):]
		n := 0
		for n < len(others) && addrOf(&others[n]) == addr {
			n++
		}
		before, now := left[from:to], others[:n]
		if sameElements(before, now, same) {
			now = before // for what it remembers
		} else {
			changed = true
		}
		take(left[:from])
		take(now)
		left, others = left[to:], others[n:]
	}
	if !changed {
		return list, false
	}
	take(left)
	if length == 0 {
		return nil, true
	}
	result = make([]E, 0, length)
	for _, piece := range pieces {
		result = append(result, piece...)
	}
	return result, true
}

// firstAt is the index of the first element at an address or a later one.
func firstAt[E any](list []E, addr netip.Addr, addrOf func(*E) netip.Addr) int {
	return sort.Search(len(list), func(i int) bool { return !addrOf(&list[i]).Less(addr) })
}

func sameElements[E any](a, b []E, same func(a, b *E) bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !same(&a[i], &b[i]) {
			return false
		}
	}
	return true
}

// same reports whether two are equal.
func (r *route) same(other *route) bool { return *r == *other }

// same reports whether two are equal, but for what they remember.
func (d *demand) same(other *demand) bool {
	return d.addr == other.addr && d.matches == other.matches && d.ranks == other.ranks && d.disputed == other.disputed &&
		slices.EqualFunc(d.by, other.by, func(a, b demanding) bool { return a.service == b.service && a.matches == b.matches })
}

// same reports whether two are equal.
func (a *RoutedAddress) same(other *RoutedAddress) bool {
	return a.Addr == other.Addr && a.Draining == other.Draining && a.Revision == other.Revision && a.Unserved == other.Unserved && a.Follows == other.Follows && slices.Equal(a.Nodes, other.Nodes)
}

// replaced is a sorted list in which those of another take the place of all that a change concerns; nil if it is empty.
func replaced[E any](list, others []E, concerned func(E) bool, compare func(a, b E) int) []E {
	result := make([]E, 0, len(list)+len(others))
	others = slices.DeleteFunc(others, func(e E) bool { return !concerned(e) })
	for _, e := range list {
		if concerned(e) {
			continue
		}
		for len(others) > 0 && compare(others[0], e) < 0 {
			result, others = append(result, others[0]), others[1:]
		}
		result = append(result, e)
	}
	if result = append(result, others...); len(result) == 0 {
		return nil
	}
	return result
}

func (p HealthPort) compare(other HealthPort) int {
	return cmp.Or(cmp.Compare(p.Port, other.Port), p.Service.Compare(other.Service))
}
