package ipam

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// pass is the state of one Compute.
type pass struct {
	world *World
	plan  Plan
	book  book
	// pools in order of priority.
	pools    []*pool
	byPool   map[*lb.Pool]*pool
	reserved reserved
	// common addresses by the terms of sharing.
	common map[terms]*common
	// nodes by their own addresses.
	nodes  map[netip.Addr]string
	routes map[routeKey]*route
	// selective: some pool looks at the labels of Services. limited: some pool gives a namespace only so many addresses.
	// resting: some pool has a reuse delay.
	selective, limited, resting bool
	// had are the resting addresses by the Service that had them.
	had map[lb.Key][]netip.Addr
	// addresses is what the lists of the assignments are cut from.
	addresses []Address
	// asked and found are what the Service that is being completed should have, and what was found for it so far.
	asked []want
	found []Address
}

// Compute says who holds what.
func Compute(world World) Plan {
	p := &pass{world: &world, common: map[terms]*common{}, routes: map[routeKey]*route{}}
	p.book = newBook(len(world.Services))
	p.reserved = prepareReservations(world.Reservations)
	p.preparePools()
	p.prepareNodes()
	others := p.prepareAssignments()

	p.admit()
	p.withhold(others)
	for i := range p.plan.Assignments {
		p.complete(&p.plan.Assignments[i])
	}
	p.report(others)
	return p.plan
}

// prepareAssignments makes an assignment for each of our Services, the oldest first, and returns those Services that are
// not ours and show addresses all the same.
func (p *pass) prepareAssignments() (others []*lb.Service) {
	mine := make([]aged, 0, len(p.world.Services))
	for _, s := range p.world.Services {
		if p.world.Classes.Ours(s) {
			mine = append(mine, age(s))
		} else if len(s.Ingress) > 0 {
			others = append(others, s)
		}
	}
	slices.SortFunc(mine, aged.compare)
	slices.SortFunc(others, func(a, b *lb.Service) int { return a.Key.Compare(b.Key) })
	p.plan.Assignments = make([]Assignment, len(mine))
	for i, m := range mine {
		p.plan.Assignments[i].Service = m.service
	}
	return others
}

// prepareNodes indexes the nodes by their addresses, the first by name where two have the same.
func (p *pass) prepareNodes() {
	p.nodes = map[netip.Addr]string{}
	for _, node := range p.world.Nodes {
		for _, addr := range node.Own() {
			if other := p.nodes[addr]; other == "" || node.Name < other {
				p.nodes[addr] = node.Name
			}
		}
	}
}

// aged is a Service with its age in a form that sorts fast.
type aged struct {
	created int64
	service *lb.Service
}

func age(s *lb.Service) aged { return aged{s.Created.UnixNano(), s} }

func (a aged) compare(b aged) int {
	if a.created != b.created {
		return cmp.Compare(a.created, b.created)
	}
	return a.service.Key.Compare(b.service.Key)
}

// withhold keeps back the addresses that are not to be given though no Service of ours has them.
func (p *pass) withhold(others []*lb.Service) {
	for i := range p.plan.Assignments {
		a := &p.plan.Assignments[i]
		for _, lost := range a.Lost {
			p.book.show(lost.Addr, a.Service, Taken)
		}
	}
	for _, s := range others {
		for _, addr := range s.Ingress {
			p.book.show(addr, s, Foreign)
		}
	}
	// order does not matter: an address is withheld whatever happens to the others.
	for addr := range p.nodes {
		p.book.withhold(addr, OfNode)
	}
	if p.resting {
		p.rest()
	}
}

// cut makes a list with room for n addresses.
func (p *pass) cut(n int) []Address {
	const chunk = 1024
	if len(p.addresses) < n {
		p.addresses = make([]Address, max(n, min(chunk, 2*len(p.plan.Assignments))))
	}
	list := p.addresses[:0:n]
	p.addresses = p.addresses[n:]
	return list
}
