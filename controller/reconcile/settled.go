package reconcile

import (
	"reflect"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// settled remembers which Services had all that they should have in the pass before. As long as nothing changes that this follows
// from, they have it still, and are not looked at again. The zero value remembers none.
type settled struct {
	// world that the explanations followed from, without its Services.
	world announce.World
	// services in the order of the snapshot; spare is memory for the next list.
	services, spare []settledService
}

// settledService is a Service of a snapshot, and what its assignment and its explanation followed from if it is settled.
type settledService struct {
	service   *cachedService
	is        bool
	addresses []ipam.Address
	endpoints lb.Endpoints
}

// begin begins a pass over the Services of a snapshot. It is right for lists in any order, and fast for lists in order of key.
func (m *settled) begin(services []*cachedService, world *announce.World) {
	now := *world
	now.Services, now.Endpoints, now.Reading = nil, nil, 0
	same := reflect.DeepEqual(&now, &m.world)
	before := m.services
	list := slices.Grow(m.spare[:0], len(services))
	i := 0
	for _, s := range services {
		for i < len(before) && before[i].service != s && before[i].service.Key.Compare(s.Key) <= 0 {
			i++
		}
		if i < len(before) && before[i].service == s && same {
			list = append(list, before[i])
			i++
		} else {
			list = append(list, settledService{service: s})
		}
	}
	clear(before)
	m.world, m.services, m.spare = now, list, before
}

// holds reports whether a Service, by its index in the snapshot, is settled still.
func (m *settled) holds(a *ipam.Assignment, endpoints lb.Endpoints) bool {
	s := &m.services[a.Index]
	return s.is && a.Plain() && s.endpoints.Same(endpoints) && slices.Equal(s.addresses, a.Addresses)
}

// settle notes that a Service has all that it should have.
func (m *settled) settle(a *ipam.Assignment, endpoints lb.Endpoints) {
	s := &m.services[a.Index]
	s.is, s.addresses, s.endpoints = true, a.Addresses, endpoints
}

// forget forgets a Service.
func (m *settled) forget(a *ipam.Assignment) { m.services[a.Index].is = false }
