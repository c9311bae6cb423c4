package reconcile

import (
	"maps"
	"net/netip"
	"reflect"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// turned is what has turned between two passes for Services that have not changed: sessions of BGP, conflicts, and who stands in for
// whom. One session of a thousand that goes down changes what is said of no Service, or of all that are announced in one way; a conflict
// concerns those at its address.
type turned struct {
	// all: something else has changed, for whichever Services.
	all bool
	// nothing has.
	nothing   bool
	explainer *announce.Explainer
	// addresses that something has changed for, and bases that were looked at.
	addresses map[netip.Addr]bool
	bases     map[announce.Basis]bool
}

// newTurned compares two Worlds without their Services.
func newTurned(before, now *announce.World, explainer *announce.Explainer) *turned {
	t := &turned{explainer: explainer, addresses: map[netip.Addr]bool{}, bases: map[announce.Basis]bool{}}
	if t.nothing = reflect.DeepEqual(before, now); t.nothing {
		return t
	}
	a, b := *before, *now
	for _, w := range []*announce.World{&a, &b} {
		w.Established, w.HeldBack, w.Overridden, w.Conflicts, w.StandIns = nil, nil, nil, nil, nil
	}
	// A node whose speaker comes or goes is another matter: it counts for layer 2 as well.
	speakers := maps.EqualFunc(before.Established, now.Established, func(_, _ map[string]bool) bool { return true })
	if t.all = !speakers || !reflect.DeepEqual(&a, &b); t.all {
		return t
	}
	differing(t.addresses, before.Conflicts, now.Conflicts)
	differing(t.addresses, before.StandIns, now.StandIns)
	return t
}

// differing adds the addresses whose values differ.
func differing[V any](found map[netip.Addr]bool, a, b map[netip.Addr]V) {
	for _, each := range [][2]map[netip.Addr]V{{a, b}, {b, a}} {
		for addr, value := range each[0] {
			if other, there := each[1][addr]; !there || !reflect.DeepEqual(value, other) {
				found[addr] = true
			}
		}
	}
}

// concerns reports whether what was settled for a Service may not be so any more.
func (t *turned) concerns(s settledService) bool {
	if t.nothing || s.as == nil {
		return false
	}
	service := s.service.Service
	if w := s.as.write; w != nil {
		service = w.service.desired.In(service)
	}
	if endpoints := t.explainer.World().Endpoints[service.Key]; len(s.as.bases) != len(service.Ingress) || !s.as.endpoints.Same(endpoints) {
		return true
	}
	for i, addr := range service.Ingress {
		basis := s.as.bases[i]
		stands, known := t.bases[basis]
		if !known || basis == (announce.Basis{}) {
			stands = t.explainer.Stands(basis, service, addr)
			t.bases[basis] = stands
		}
		if !stands || t.addresses[addr] {
			return true
		}
	}
	return false
}
