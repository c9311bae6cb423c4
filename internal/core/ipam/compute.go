package ipam

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// pass is the state of one Compute.
type pass struct {
	world       *World
	plan        Plan
	allocations allocations
	// pools in order of priority.
	pools  []*pool
	byPool map[*lb.Pool]*pool
	// byAge are the pools in the order of lb.Pools.ByAge. last is the one that was looked up last.
	byAge []*pool
	last  *pool
	// missing are stand-ins for pools that gave addresses and do not exist, by name.
	missing      map[string]*lb.Pool
	reservations reservationIndex
	// shareable are the addresses that Services may join, by their sharing terms.
	shareable map[shareKey]*shareableAddresses
	// never are the addresses that no Service may have.
	never     neverGiven
	poolLists map[poolListKey]*poolList
	// selective: some pool has serviceSelectors. limited: some pool has a limit per namespace. delaysReuse: some pool has a
	// reuse delay.
	selective, limited, delaysReuse bool
	// gone are the assignments of the pass before whose Services are not served any more.
	gone []*Assignment
	// freedBy are the addresses with a running reuse delay, by the Service that had them.
	freedBy map[lb.Key][]netip.Addr
	// shownBeside are Services whose status shows an address that another has. externalUsers have addresses of pools in
	// spec.externalIPs.
	shownBeside, externalUsers []addressUser
	// withdrawn is the version of Services up to which all speakers have withdrawn what is to be withdrawn.
	withdrawn uint64
	// addressBuffer is the memory that the lists of addresses are cut from: one allocation for many Services.
	addressBuffer []Address
	// requests are what the Service that is being completed still needs. pending are the addresses found for it so far.
	requests []request
	pending  []Address
}

// Compute decides which Service holds which address.
func Compute(world World) Plan { return compute(&world).plan }

func compute(world *World) *pass {
	p := &pass{world: world, shareable: map[shareKey]*shareableAddresses{}, poolLists: map[poolListKey]*poolList{}}
	p.allocations = newAllocations(len(world.Services))
	p.reservations = prepareReservations(world.Reservations)
	p.prepareNeverGiven()
	p.preparePools()
	others := p.prepareAssignments()
	p.prepareLeaving(others)

	p.keepHeld()
	p.blockAddresses(others)
	for i := range p.plan.Assignments {
		a := &p.plan.Assignments[i]
		p.complete(a)
		a.replaceForeign()
	}
	p.report(others)
	return p
}

// prepareAssignments makes an assignment for each Service that Daymark serves, the oldest first. It returns the other
// Services that show addresses or have provenance of ours.
func (p *pass) prepareAssignments() (others []*lb.Service) {
	ours := make([]aged, 0, len(p.world.Services))
	for i, s := range p.world.Services {
		if p.world.Classes.Ours(s) {
			aged := age(s)
			aged.index = i
			ours = append(ours, aged)
		} else if len(s.Ingress) > 0 || p.world.Classes.Gave(s) {
			others = append(others, s)
		}
	}
	slices.SortFunc(ours, aged.compare)
	slices.SortFunc(others, func(a, b *lb.Service) int { return a.Key.Compare(b.Key) })
	p.plan.Assignments = make([]Assignment, len(ours))
	for i, o := range ours {
		p.plan.Assignments[i].Service, p.plan.Assignments[i].Index = o.service, o.index
	}
	return others
}

// aged is a Service with its creation time in a form that sorts fast, and the first bytes of its namespace, which mostly decide
// between Services of the same second.
type aged struct {
	created   int64
	namespace uint64
	service   *lb.Service
	// index of the Service in World.Services.
	index int
}

func age(s *lb.Service) aged {
	var first [8]byte
	copy(first[:], s.Key.Namespace)
	return aged{created: s.Created.UnixNano(), namespace: binary.BigEndian.Uint64(first[:]), service: s}
}

func (a aged) compare(b aged) int {
	if a.created != b.created {
		return cmp.Compare(a.created, b.created)
	}
	if a.namespace != b.namespace {
		return cmp.Compare(a.namespace, b.namespace)
	}
	return a.service.Key.Compare(b.service.Key)
}

// blockAddresses blocks the addresses that may not be given though no Service of ours holds them.
func (p *pass) blockAddresses(others []*lb.Service) {
	for i := range p.plan.Assignments {
		a := &p.plan.Assignments[i]
		for _, release := range a.Released {
			p.allocations.blockShown(release.Addr, a.Service, Taken)
		}
		for _, addr := range a.Foreign {
			p.blockForeign(addr, a.Service)
		}
	}
	for _, s := range others {
		for _, addr := range p.shownBy(s) {
			if p.limited && p.allocations.free(addr) {
				p.chargeShown(addr, s.Key.Namespace)
			}
			p.blockForeign(addr, s)
		}
	}
	p.blockNeverGiven()
	if p.delaysReuse {
		p.delayReuse()
	}
}

// blockForeign blocks an address that the status of a Service shows and that the Service does not hold.
func (p *pass) blockForeign(addr netip.Addr, s *lb.Service) {
	if p.allocations.entries[addr].holder != nil {
		p.shownBeside = append(p.shownBeside, addressUser{addr, s})
	}
	p.allocations.blockShown(addr, s, Unmanaged)
}

// chargeShown counts an address that the status of a Service shows which is not ours. Nobody else gets it, so it counts for
// the namespace: else who hands Services over to another provider uses the pool up in spite of its limit.
func (p *pass) chargeShown(addr netip.Addr, namespace string) {
	if from := p.world.Pools.Containing(addr); from != nil && p.byPool[from].perNamespace != nil {
		p.byPool[from].perNamespace[namespace]++
	}
}

// newAddresses returns an empty list with room for n addresses.
func (p *pass) newAddresses(n int) []Address {
	const chunk = 1024
	if len(p.addressBuffer) < n {
		p.addressBuffer = make([]Address, max(n, min(chunk, 2*len(p.plan.Assignments))))
	}
	list := p.addressBuffer[:0:n]
	p.addressBuffer = p.addressBuffer[n:]
	return list
}
