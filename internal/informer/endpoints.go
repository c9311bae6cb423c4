package informer

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// endpoints joins the EndpointSlices of each Service, and does so again only with the slices that changed.
type endpoints struct {
	// namespace whose slices of speakers count.
	namespace string

	from     []*lb.EndpointSlice
	parts    map[lb.Key][]*lb.EndpointSlice
	joined   map[lb.Key]lb.Endpoints
	speakers map[string]netip.AddrPort
}

// join returns the endpoints of every Service from all slices, as a Lister lists them, and where the speakers gossip, by node. Do not
// change the maps.
func (e *endpoints) join(all []*lb.EndpointSlice) (map[lb.Key]lb.Endpoints, map[string]netip.AddrPort) {
	if e.joined != nil && slices.Equal(e.from, all) {
		return e.joined, e.speakers
	}
	parts, speakers := make(map[lb.Key][]*lb.EndpointSlice, len(all)), map[string]netip.AddrPort{}
	for _, slice := range all {
		if slice.Speaker != nil && slice.Service.Namespace == e.namespace {
			speakers[slice.Speaker.Node] = slice.Speaker.Address
			continue
		}
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
	e.from, e.parts, e.joined, e.speakers = all, parts, joined, speakers
	return joined, speakers
}
