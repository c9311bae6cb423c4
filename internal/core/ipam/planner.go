package ipam

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Planner computes one plan after the other, each of which is what Compute gives with the Memory of the one before. Most passes differ
// from the last in a few Services, and most Services hold what they show and will go on to (still.go). So it keeps what those hold, and
// decides on the others alone. The zero value is ready for use, by one goroutine.
type Planner struct {
	// planned: there was a pass before. The fields below are of that one.
	planned bool
	basis   basis
	// services of the World, and those of them that are others or external, as a pass has them.
	services, others, external []*lb.Service
	memory                     Memory
	// entries are the allocations. All but those of still Services are among the noted.
	entries map[netip.Addr]allocation
	noted   []netip.Addr
	// charges are what others than still Services count for their namespaces.
	charges []charge
	// pools in the order of lb.Pools.ByAge.
	pools []*pool
	// index is memory for the places of Services.
	index []int
}

// basis is all that a Plan follows from but the Services, what the speakers have withdrawn, the time and the Memory.
type basis struct {
	classes      lb.Classes
	grace        time.Duration
	pools        *lb.Pools
	reservations []*lb.Reservation
	namespaces   map[string]map[string]string
	nodes        []*lb.Node
	networks     []lb.NodeNetwork
	routers      []lb.PeerAddress
	serviceCIDRs []lb.NamedRange
}

func basisOf(w *World) basis {
	return basis{w.Classes, w.PoolGrace, w.Pools, w.Reservations, w.Namespaces, w.Nodes, w.NodeNetworks, w.PeerAddresses, w.ServiceCIDRs}
}

// equal reports whether two are the same. Objects never change, so the same pointers are the same objects.
func (b *basis) equal(other *basis) bool {
	return b.classes == other.classes && b.grace == other.grace && slices.Equal(b.pools.ByAge(), other.pools.ByAge()) &&
		slices.Equal(b.reservations, other.reservations) && slices.Equal(b.nodes, other.nodes) &&
		slices.Equal(b.serviceCIDRs, other.serviceCIDRs) && slices.Equal(b.routers, other.routers) && slices.EqualFunc(b.networks, other.networks, sameNetwork) &&
		maps.EqualFunc(b.namespaces, other.namespaces, maps.Equal)
}

func sameNetwork(a, b lb.NodeNetwork) bool {
	return a.Node == b.Node && slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.Gateways, b.Gateways)
}

// Compute decides which Service holds which address. The Memory of the World counts for the first pass only. The Plan, its Memory
// included, is valid until the next call; lists of the World must not be changed after the call.
func (p *Planner) Compute(world World) Plan {
	if p.planned {
		world.Memory = p.memory
	}
	now := basisOf(&world)
	var made *pass
	if p.planned && now.equal(&p.basis) {
		made = p.resume(&world)
	}
	if made == nil {
		made = newPass(&world)
		made.allocations.noting = true
		made.prepareAll()
		made.decide()
	}
	made.keepStill()
	*p = Planner{
		planned: true, basis: now, services: world.Services, others: made.others, external: made.external, memory: made.plan.Memory,
		entries: made.allocations.entries, noted: made.allocations.noted, charges: made.charges, pools: made.byAge, index: p.index,
	}
	return made.plan
}
