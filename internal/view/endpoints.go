package view

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Endpoints joins the EndpointSlices of each Service, and does again only what changed. The zero value is ready for use.
// It is not safe for use by several goroutines.
type Endpoints struct {
	from   []*lb.EndpointSlice
	parts  map[lb.Key][]*lb.EndpointSlice
	joined map[lb.Key]lb.Endpoints
}

// Join gives the endpoints of every Service from all slices, as a Table lists them. The map is shared with the next
// call: it must not be changed, nor read after that.
func (e *Endpoints) Join(all []*lb.EndpointSlice) map[lb.Key]lb.Endpoints {
	if e.joined != nil && slices.Equal(e.from, all) {
		return e.joined
	}
	parts := make(map[lb.Key][]*lb.EndpointSlice, len(all))
	for _, slice := range all {
		parts[slice.Service] = append(parts[slice.Service], slice)
	}
	joined := make(map[lb.Key]lb.Endpoints, len(parts))
	for key, now := range parts {
		if before, ok := e.parts[key]; ok && slices.Equal(before, now) {
			joined[key] = e.joined[key]
		} else {
			joined[key] = lb.JoinEndpoints(now)
		}
	}
	e.from, e.parts, e.joined = all, parts, joined
	return joined
}
