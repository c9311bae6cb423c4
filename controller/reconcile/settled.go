package reconcile

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// minLoose is how many loose Services are always looked up one by one; in a large cluster it is an eighth. With more it costs less to go
// through all.
const minLoose = 64

// settled remembers for which Services it was settled in the pass before what they should have, and with it the write that is still to
// be made, if any: in a storm thousands wait for theirs. As long as nothing changes that this follows from, they are not looked at again.
// The zero value remembers none.
type settled struct {
	// world that the explanations followed from, without its Services.
	world announce.World
	// services in the order of the snapshot; spare is memory for the next list.
	services, spare []settledService
	// loose are the places of the Services that are not settled, or wait for a write.
	loose []int
	// counts are the conditions that those which are settled should have.
	counts map[serviceCondition]int
}

// settledService is a Service of a snapshot; as is nil if it is not settled. waits: it has a write.
type settledService struct {
	service *cachedService
	as      *settledAs
	waits   bool
}

// settledAs is what follows from the Service and from the World for it, and what it should have.
type settledAs struct {
	addresses []ipam.Address
	endpoints lb.Endpoints
	// bases are what the explanation of its addresses follows from.
	bases []announce.Basis
	// onSegment are the addresses that one node is to hold by layer 2.
	onSegment []netip.Addr
	// write makes the Service what it should be; nil: it is.
	write *write
}

// begin begins a pass over the Services of a snapshot. It is right for lists in any order, and fast for lists in order of key.
func (m *settled) begin(services []*cachedService, explainer *announce.Explainer) {
	now := *explainer.World()
	now.Services, now.Endpoints, now.Reading = nil, nil, 0
	since := newTurned(&m.world, &now, explainer)
	before := m.services
	if since.all || m.counts == nil {
		before, m.counts = nil, map[serviceCondition]int{}
	}
	list := slices.Grow(m.spare[:0], len(services))
	m.loose = m.loose[:0]
	i := 0
	for j, s := range services {
		for i < len(before) && before[i].service != s && before[i].service.Key.Compare(s.Key) <= 0 {
			m.count(before[i], -1)
			i++
		}
		if i < len(before) && before[i].service == s {
			if since.concerns(before[i]) {
				m.count(before[i], -1)
				before[i].as, before[i].waits = nil, false
			}
			list = append(list, before[i])
			i++
		} else {
			list = append(list, settledService{service: s})
		}
		if list[j].as == nil || list[j].waits {
			m.loose = append(m.loose, j)
		}
	}
	for ; i < len(before); i++ {
		m.count(before[i], -1)
	}
	clear(m.services)
	m.world, m.services, m.spare = now, list, m.services
}

// open returns the places in a plan of the Services that are to be looked at, in order: those that are loose, and those that the plan or
// their endpoints have changed for.
func (m *settled) open(s *snapshot, plan *ipam.Plan) []int {
	decided, all := plan.Decided()
	if all || len(m.loose) > max(minLoose, len(plan.Assignments)/8) {
		places := make([]int, len(plan.Assignments))
		for i := range places {
			places[i] = i
		}
		return places
	}
	places := slices.Clone(decided)
	add := func(service *lb.Service) {
		if place := plan.PlaceOf(service); place >= 0 {
			places = append(places, place)
		}
	}
	for _, i := range m.loose {
		add(s.Services[i])
	}
	for _, key := range s.changedEndpoints {
		if i, found := s.find(key); found {
			add(s.Services[i])
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// holds reports whether a Service, by its index in the snapshot, is settled still, and the write that it waits for.
func (m *settled) holds(a *ipam.Assignment, endpoints lb.Endpoints) (waits *write, holds bool) {
	as := m.services[a.Index].as
	if as == nil || !a.Plain() || !as.endpoints.Same(endpoints) || !slices.Equal(as.addresses, a.Addresses) {
		return nil, false
	}
	as.addresses = a.Addresses // Those of an earlier pass would keep the memory of all that it gave.
	return as.write, true
}

// settle notes that it is settled what a Service should have, and the write that makes it so; nil for none. onSegment are the addresses of it
// that one node is to hold.
func (m *settled) settle(a *ipam.Assignment, endpoints lb.Endpoints, bases []announce.Basis, onSegment []netip.Addr, w *write) {
	m.services[a.Index].as, m.services[a.Index].waits = &settledAs{a.Addresses, endpoints, bases, onSegment, w}, w != nil
	m.count(m.services[a.Index], 1)
}

// forget forgets a Service.
func (m *settled) forget(a *ipam.Assignment) {
	m.count(m.services[a.Index], -1)
	m.services[a.Index].as, m.services[a.Index].waits = nil, false
}

// count adds the conditions that a Service should have to the counts if it is settled, or takes them away.
func (m *settled) count(s settledService, sign int) {
	if s.as == nil {
		return
	}
	conditions := s.service.Written.Conditions
	if s.as.write != nil {
		conditions = s.as.write.service.desired.Conditions
	}
	countConditions(m.counts, conditions, sign)
}
