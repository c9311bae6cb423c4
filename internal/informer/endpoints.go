package informer

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// endpoints joins the EndpointSlices of each Service, and does so again only where slices have changed. The zero value, with a
// namespace, knows none.
type endpoints struct {
	// namespace whose slices of speakers count.
	namespace string

	parts  map[lb.Key][]*lb.EndpointSlice
	joined map[lb.Key]lb.Endpoints
	// speaking are the slices of speakers, in order of name.
	speaking []*lb.EndpointSlice
	speakers map[string]netip.AddrPort
	// changed are the Services that were joined again since somebody took the list.
	changed []lb.Key
}

// join returns the endpoints of every Service, and where the speakers gossip, by node, given how the slices differ from those at the last
// call. Do not change the maps. The endpoints are valid until the next call.
func (e *endpoints) join(changed []Replacement[*lb.EndpointSlice]) (map[lb.Key]lb.Endpoints, map[string]netip.AddrPort) {
	if e.joined == nil {
		e.parts, e.joined = map[lb.Key][]*lb.EndpointSlice{}, map[lb.Key]lb.Endpoints{}
		e.speakers = map[string]netip.AddrPort{}
	}
	before, spoke := map[lb.Key][]*lb.EndpointSlice{}, false
	for _, c := range changed {
		if c.Before != nil {
			spoke = e.edit(before, *c.Before, withoutSlice) || spoke
		}
		if c.Now != nil {
			spoke = e.edit(before, *c.Now, withSlice) || spoke
		}
	}
	// order does not matter: each Service stands for itself
	for key, parts := range before {
		e.changed = append(e.changed, key)
		if now := e.parts[key]; len(now) > 0 {
			e.joined[key] = e.joined[key].Update(parts, now)
		} else {
			delete(e.parts, key)
			delete(e.joined, key)
		}
	}
	if spoke {
		e.speakers = make(map[string]netip.AddrPort, len(e.speaking))
		for _, slice := range e.speaking {
			e.speakers[slice.Speaker.Node] = slice.Speaker.Address
		}
	}
	return e.joined, e.speakers
}

// edit adds a slice to those of its Service or takes it away, and notes which the Service had before the first edit. It reports whether
// the slice is one of a speaker, which is none of a Service.
func (e *endpoints) edit(before map[lb.Key][]*lb.EndpointSlice, slice *lb.EndpointSlice, edited sliceEdit) (spoke bool) {
	if slice.Speaker != nil && slice.Service.Namespace == e.namespace {
		e.speaking = edited(e.speaking, slice)
		return true
	}
	parts := e.parts[slice.Service]
	if _, known := before[slice.Service]; !known {
		before[slice.Service] = parts
	}
	e.parts[slice.Service] = edited(parts, slice)
	return false
}

// sliceEdit returns a new list, which differs by a slice.
type sliceEdit func([]*lb.EndpointSlice, *lb.EndpointSlice) []*lb.EndpointSlice

// withSlice is a new list with a slice, in order of name.
func withSlice(list []*lb.EndpointSlice, slice *lb.EndpointSlice) []*lb.EndpointSlice {
	i, _ := slices.BinarySearchFunc(list, slice.Name, func(s *lb.EndpointSlice, name string) int { return strings.Compare(s.Name, name) })
	return slices.Insert(slices.Clip(list), i, slice)
}

// withoutSlice is a new list without a slice.
func withoutSlice(list []*lb.EndpointSlice, slice *lb.EndpointSlice) []*lb.EndpointSlice {
	return slices.DeleteFunc(slices.Clone(list), func(s *lb.EndpointSlice) bool { return s == slice })
}
