package ipam

import (
	"math/big"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// World is all that is looked at. Its lists may come in any order.
type World struct {
	// Now decides which addresses still rest.
	Now time.Time
	// Classes says which Services are ours.
	Classes lb.Classes
	// Services of any type and class. Those that are not ours only count for the addresses their status shows.
	Services []*lb.Service
	Pools    *lb.Pools
	// Reservations keep addresses for Services.
	Reservations []*lb.Reservation
	// Namespaces and their labels.
	Namespaces map[string]map[string]string
	// Nodes, whose own addresses are never given.
	Nodes []*lb.Node
	// Memory of the pass before; the zero value at the start.
	Memory Memory
}

// Plan says who holds what, and why what is asked for is not had.
type Plan struct {
	// Assignments of all our Services, the oldest first.
	Assignments []Assignment
	// Former Services that are not ours any more and still show addresses of ours, in order of key.
	Former []Former
	// Pools in order of name.
	Pools []*PoolUse
	// Reservations in order of name.
	Reservations []ReservationUse
	// Memory for the next pass.
	Memory Memory
	// Next is when an address stops resting, so that the next pass may give it; zero when none rests.
	Next time.Time
}

// Assignment is what one Service holds, is still to get, and has lost.
type Assignment struct {
	Service *lb.Service
	// Addresses in the order of the Service's families, and within one in the order it asked.
	Addresses []Address
	// Refused says what is wrong with what the Service asks for; nil when nothing is. It keeps what it has.
	Refused error
	// Missing is what it should have and does not.
	Missing []Missing
	// Lost addresses that its status shows and that it does not keep.
	Lost []Loss

	// awaiting: some of Addresses are kept only until what is asked for in their place can be had.
	awaiting bool
	// before is what became of the Service in the pass before; nil when nothing is known of that.
	before *Assignment
}

// Address is one that a Service holds, and where it comes from.
type Address struct {
	Addr netip.Addr
	Pool *lb.Pool
	// Stays says why the pool would not give the address today, if so; Serves otherwise. It stays all the same.
	Stays Why
}

// Loss is an address that a Service must give up.
type Loss struct {
	Addr netip.Addr
	Why  Why
	// Holder of the address, where Why is Taken.
	Holder lb.Key
}

// Former is a Service that is not ours any more.
type Former struct {
	Service *lb.Service
	// Addresses in its status that came from our pools.
	Addresses []netip.Addr
}

// PoolUse is what there is to say of a pool.
type PoolUse struct {
	Pool *lb.Pool
	// IPv4 and IPv6 counts; nil when the pool has no address of that family.
	IPv4, IPv6 *Count
	// Overlaps with other pools, in order of their names.
	Overlaps []Overlap
	// Nodes whose addresses are in the pool, in order of address.
	Nodes []NodeAddress
}

// Of is the count of one family; nil when the pool has none of it.
func (u *PoolUse) Of(family lb.Family) *Count {
	if family == lb.IPv6 {
		return u.IPv6
	}
	return u.IPv4
}

// Count counts the addresses of one family in a pool.
type Count struct {
	// Assigned to Services; those that share one count once.
	Assigned int64
	// Available to Services that ask now.
	Available *big.Int
	// Reserved for Services that do not exist or have not got them.
	Reserved *big.Int
	// Resting after they were given back; Rested is when the first of them may be given.
	Resting int64
	Rested  time.Time
	// OfNodes: nodes' own addresses. Foreign: in the status of Services that are not ours. Both without those that Services
	// of ours have nevertheless.
	OfNodes, Foreign int64
}

// Overlap is an address range that two pools name.
type Overlap struct {
	Other *lb.Pool
	// Keeps: this pool is the older and has the addresses.
	Keeps bool
	// Range is the first of those that both name.
	Range lb.Range
}

// NodeAddress is an address of a node.
type NodeAddress struct {
	Addr netip.Addr
	Node string
}

// ReservationUse is what there is to say of a reservation.
type ReservationUse struct {
	Reservation *lb.Reservation
	// Taken: addresses that Services hold for whom they are not kept, in order of address. They stay.
	Taken []Loss
	// Overlaps are older reservations that keep some of the addresses, in order of name.
	Overlaps []string
	// OutsidePools: the first range of addresses that no pool contains; the zero Range when there is none.
	OutsidePools lb.Range
}

// Memory is what one pass tells the next, and what a new process does not know.
type Memory struct {
	// Last is the assignments of the pass before, to see what was held then and on which terms: an address that appears in
	// a status by other hands than ours counts less, and the Service that changed its terms gives way to its neighbours.
	Last []Assignment
	// Rests of addresses that were given back.
	Rests map[netip.Addr]Rest
}

// Rest is an address that was given back.
type Rest struct {
	// Service that had it, and may have it again at any time.
	Service lb.Key
	Since   time.Time
}
