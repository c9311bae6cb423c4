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
	// active are the assignments that the pass decides on, the oldest first: all, but for those that a Planner knows to stay.
	active []*Assignment
	// others are the Services that Daymark does not serve and that show addresses or have provenance of ours, in order of key. external
	// are those of any class with addresses in spec.externalIPs, the oldest first.
	others, external []*lb.Service
	// vacated are the addresses that were not free in the pass before and may be.
	vacated []netip.Addr
	// charges are what was counted for namespaces, if allocations are noted.
	charges []charge
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
	p := newPass(world)
	p.prepareAll()
	p.decide()
	return p
}

func newPass(world *World) *pass {
	return &pass{
		world: world, shareable: map[shareKey]*shareableAddresses{}, poolLists: map[poolListKey]*poolList{}, allocations: newAllocations(),
	}
}

// prepareAll prepares a pass that decides on all Services.
func (p *pass) prepareAll() {
	p.allocations.entries = make(map[netip.Addr]allocation, len(p.world.Services))
	p.prepareAssignments()
	p.prepareGround()
	p.linkPrevious()
}

// prepareGround prepares what does not depend on who holds which address.
func (p *pass) prepareGround() {
	p.reservations = prepareReservations(p.world.Reservations)
	p.prepareNeverGiven()
	p.preparePools()
}

// decide decides on the active assignments, and fills in the plan.
func (p *pass) decide() {
	p.prepareLeaving(p.others)
	p.keepHeld()
	p.blockAddresses(p.others)
	p.rewind()
	for _, a := range p.active {
		p.complete(a)
		a.replaceForeign()
	}
	p.report(p.others)
}

// prepareAssignments makes an assignment for each Service that Daymark serves, the oldest first, and finds the others that count.
func (p *pass) prepareAssignments() {
	ours := make([]aged, 0, len(p.world.Services))
	for i, s := range p.world.Services {
		if p.world.Classes.Ours(s) {
			aged := age(s)
			aged.index = i
			ours = append(ours, aged)
		} else if isOther(p.world, s) {
			p.others = append(p.others, s)
		}
		if isExternal(s) {
			p.external = append(p.external, s)
		}
	}
	slices.SortFunc(ours, aged.compare)
	slices.SortFunc(p.others, compareKeys)
	slices.SortFunc(p.external, compareAges)
	p.plan.Assignments = make([]Assignment, len(ours))
	p.active = make([]*Assignment, len(ours))
	for i, o := range ours {
		p.plan.Assignments[i].Service, p.plan.Assignments[i].Index = o.service, o.index
		p.active[i] = &p.plan.Assignments[i]
	}
}

// isOther reports whether a Service that Daymark does not serve shows addresses or has provenance of ours.
func isOther(w *World, s *lb.Service) bool {
	return !w.Classes.Ours(s) && (len(s.Ingress) > 0 || w.Classes.Gave(s))
}

func isExternal(s *lb.Service) bool { return len(s.ExternalIPs) > 0 }

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
	for _, a := range p.active {
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
		p.charge(p.byPool[from], namespace)
	}
}

// newAddresses returns an empty list with room for n addresses.
func (p *pass) newAddresses(n int) []Address {
	const chunk = 1024
	if len(p.active) < len(p.plan.Assignments) {
		return make([]Address, 0, n) // one that stays would keep a whole chunk, in each pass another
	}
	if len(p.addressBuffer) < n {
		p.addressBuffer = make([]Address, max(n, min(chunk, 2*len(p.active))))
	}
	list := p.addressBuffer[:0:n]
	p.addressBuffer = p.addressBuffer[n:]
	return list
}
