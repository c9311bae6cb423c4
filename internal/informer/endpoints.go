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

	// joined are those of each Service. One that has a single slice has that one's, as nearly all do; parts are the slices of the others.
	joined map[lb.Key]lb.Endpoints
	parts  map[lb.Key][]*lb.EndpointSlice
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
	edits, spoke := map[lb.Key]*edit{}, false
	for _, c := range changed {
		if c.Before != nil {
			spoke = e.edit(edits, *c.Before, withoutSlice) || spoke
		}
		if c.Now != nil {
			spoke = e.edit(edits, *c.Now, withSlice) || spoke
		}
	}
	// order does not matter: each Service stands for itself
	for key, edit := range edits {
		e.changed = append(e.changed, key)
		e.put(key, edit)
	}
	if spoke {
		e.speakers = make(map[string]netip.AddrPort, len(e.speaking))
		for _, slice := range e.speaking {
			e.speakers[slice.Speaker.Node] = slice.Speaker.Address
		}
	}
	return e.joined, e.speakers
}

// edit is the slices of a Service before some changes, and after them.
type edit struct{ before, now []*lb.EndpointSlice }

// put joins the slices of a Service that have changed.
func (e *endpoints) put(key lb.Key, edit *edit) {
	if len(edit.now) == 0 {
		delete(e.parts, key)
		delete(e.joined, key)
		return
	}
	joined := e.joined[key].Update(edit.before, edit.now)
	e.joined[key] = joined
	if len(edit.now) == 1 && joined.Of() == edit.now[0] {
		delete(e.parts, key)
	} else {
		e.parts[key] = edit.now
	}
}

// slicesOf are the slices of a Service, in order of name.
func (e *endpoints) slicesOf(key lb.Key) []*lb.EndpointSlice {
	if parts := e.parts[key]; parts != nil {
		return parts
	}
	if only := e.joined[key].Of(); only != nil {
		return []*lb.EndpointSlice{only}
	}
	return nil
}

// edit adds a slice to those of its Service or takes it away. It reports whether the slice is one of a speaker, which is none of a Service.
func (e *endpoints) edit(edits map[lb.Key]*edit, slice *lb.EndpointSlice, edited sliceEdit) (spoke bool) {
	if slice.Speaker != nil && slice.Service.Namespace == e.namespace {
		e.speaking = edited(e.speaking, slice)
		return true
	}
	of := edits[slice.Service]
	if of == nil {
		parts := e.slicesOf(slice.Service)
		of = &edit{parts, parts}
		edits[slice.Service] = of
	}
	of.now = edited(of.now, slice)
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
