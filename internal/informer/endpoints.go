package informer

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// endpoints joins the EndpointSlices of each Service, and does so again only with the slices that changed. The zero value is
// ready for use.
type endpoints struct {
	from   []*lb.EndpointSlice
	parts  map[lb.Key][]*lb.EndpointSlice
	joined map[lb.Key]lb.Endpoints
}

// join returns the endpoints of every Service from all slices, as a Lister lists them. Do not change the map.
func (e *endpoints) join(all []*lb.EndpointSlice) map[lb.Key]lb.Endpoints {
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
			joined[key] = e.joined[key].Update(before, now)
		}
	}
	e.from, e.parts, e.joined = all, parts, joined
	return joined
}
