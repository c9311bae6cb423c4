package announce

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// What follows from the Services is worked out by address: an address of which no Service has changed stays as it was. So a new
// Service costs about the same however many there are.

// maxRanks bounds the Ranks that are kept beside as many as there are Services.
const maxRanks = 1024

// serviceChanges are the Services that differ between two Worlds, by what their change concerns.
type serviceChanges struct {
	keys  map[lb.Key]bool
	addrs map[netip.Addr]bool
}

// note notes a Service that is there no more, or as it is now.
func (c *serviceChanges) note(s *lb.Service) {
	c.keys[s.Key] = true
	for _, addr := range s.Ingress {
		c.addrs[addr] = true
	}
}

// touches reports whether a change concerns an address of a Service.
func (c *serviceChanges) touches(s *lb.Service) bool {
	return slices.ContainsFunc(s.Ingress, func(addr netip.Addr) bool { return c.addrs[addr] })
}

// changesTo finds the Services of a World that are not those of before, or whose endpoints are not, and keeps those of the World from then
// on. It is right for lists in any order, and fast for lists in order of key.
func (d *derived) changesTo(w *World) *serviceChanges {
	c := &serviceChanges{map[lb.Key]bool{}, map[netip.Addr]bool{}}
	before, had := d.services, d.endpoints
	d.services, d.endpoints = w.Services, make([]lb.Endpoints, len(w.Services))
	i := 0
	for j, s := range w.Services {
		for i < len(before) && before[i] != s && before[i].Key.Compare(s.Key) <= 0 {
			c.note(before[i])
			i++
		}
		d.endpoints[j] = w.Endpoints[s.Key]
		known := i < len(before) && before[i] == s
		if !known || !had[i].Same(d.endpoints[j]) {
			c.note(s)
		}
		if known {
			i++
		}
	}
	for _, s := range before[i:] {
		c.note(s)
	}
	return c
}

// update returns what derive does, given what that returned for a World which differs in its Services and their endpoints alone.
func (d *derived) update(r *rules) *derived {
	changes := d.changesTo(r.world)
	switch {
	case len(changes.keys) == 0:
		return d
	case len(changes.keys) > len(d.services)/4, len(d.near.made) > len(d.services)+maxRanks:
		return r.derive()
	}
	var touched []*lb.Service
	for _, s := range r.world.Services {
		if changes.touches(s) || changes.keys[s.Key] {
			touched = append(touched, s)
		}
	}
	part := r.only(touched)
	d.near.rules = part
	now := *d
	now.paths, now.limited = map[advertisementSet][]Path{}, map[limitKey]*limitedPaths{}
	now.demands = replaced(d.demands, part.demands(d.near), func(x demand) bool { return changes.addrs[x.addr] },
		func(a, b demand) int { return a.addr.Compare(b.addr) })
	now.routes = replaced(d.routes, part.ownRoutes(), func(x route) bool { return changes.addrs[x.addr] }, route.compare)
	now.routed = replaced(d.routed, part.routed(), func(x RoutedAddress) bool { return changes.addrs[x.Addr] },
		func(a, b RoutedAddress) int { return a.Addr.Compare(b.Addr) })
	now.healthPorts = replaced(d.healthPorts, part.healthPorts(), func(x HealthPort) bool { return changes.keys[x.Service] }, HealthPort.compare)
	now.healthPaths = maps.Clone(d.healthPaths)
	maps.DeleteFunc(now.healthPaths, func(key lb.Key, _ Health) bool { return changes.keys[key] })
	maps.Copy(now.healthPaths, part.healthPaths())
	return &now
}

// only are the rules of a World that has some of the Services alone: what is worked out for an address is right if all of its Services
// are among them.
func (r *rules) only(services []*lb.Service) *rules {
	world, part := *r.world, *r
	world.Services, part.world, part.affine = services, &world, affineServices(services)
	return &part
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
