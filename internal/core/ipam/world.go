package ipam

import (
	"math/big"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// World is the input of Compute. Its lists may come in any order.
type World struct {
	// Now decides which released addresses may be reused.
	Now time.Time
	// Classes says which Services Daymark serves.
	Classes lb.Classes
	// PoolGrace is how long a Service keeps an address whose pool does not exist any more.
	PoolGrace time.Duration
	// Services of any type and class. Of those that Daymark does not serve, only the addresses in their status count.
	Services []*lb.Service
	Pools    *lb.Pools
	// Reservations keep addresses for Services.
	Reservations []*lb.Reservation
	// Namespaces are the labels of the namespaces by name.
	Namespaces map[string]map[string]string
	// Nodes, whose own addresses and pod ranges are never given.
	Nodes []*lb.Node
	// NodeNetworks are what the speakers report of the nodes' networks. None of it is given.
	NodeNetworks []lb.NodeNetwork
	// PeerAddresses are those of routers, which are never given.
	PeerAddresses []lb.PeerAddress
	// ServiceCIDRs are the ranges of cluster IPs, which are never given.
	ServiceCIDRs []lb.NamedRange
	// Withdrawals of the speakers that are waited for.
	Withdrawals []Withdrawal
	// Memory of the pass before; the zero value at the start.
	Memory Memory
}

// Plan says which Service holds which address, and why a Service does not have what it should have.
type Plan struct {
	// Assignments of all Services that Daymark serves, the oldest first.
	Assignments []Assignment
	// Cleanups are the Services that Daymark does not serve any more and whose provenance says that it did, in order of key.
	Cleanups []Cleanup
	// Pools in order of name.
	Pools []*PoolUse
	// Reservations in order of name.
	Reservations []ReservationUse
	// Memory for the next pass.
	Memory Memory
	// Next is when the first reuse delay, grace time of a pool or wait for a speaker ends, so that the next pass decides anew;
	// zero when there is none.
	Next time.Time

	// decided are the places of the assignments that the pass has decided on; nil: all.
	decided []int
}

// Decided returns the places of the assignments that may differ from those of the pass before, in order. All: any may.
func (p *Plan) Decided() (places []int, all bool) { return p.decided, p.decided == nil }

// PlaceOf returns the place in Assignments of a Service of the World; -1 when it has none.
func (p *Plan) PlaceOf(s *lb.Service) int {
	if place := placeOf(p.Assignments, s); place < len(p.Assignments) && p.Assignments[place].Service == s {
		return place
	}
	return -1
}

// Assignment is what one Service holds, does not get, and has to release.
type Assignment struct {
	Service *lb.Service
	// Index of the Service in World.Services.
	Index int
	// Addresses in the order of the Service's families, and within one family in the order of the request.
	Addresses []Address
	// RequestError says what is wrong with the Service's request; nil when nothing is. The Service keeps what it has.
	RequestError error
	// Missing is what the Service should have and does not get.
	Missing []Missing
	// Released addresses are shown in the Service's status and not kept.
	Released []Release
	// Foreign addresses are shown in the Service's status and were given by somebody else. They stay there.
	Foreign []netip.Addr
	// PortConflicts are the ports that the Service cannot be sure of; nil when there are none.
	PortConflicts map[PortConflict]bool
	// MissingSince and KeptUntil are when the last of the pools of Addresses that do not exist was first seen not to, and until
	// when the addresses are kept all the same; zero when all pools exist.
	MissingSince, KeptUntil time.Time

	// replacing: some of Addresses are kept only until what the Service requests in their place is available.
	replacing bool
	// whole: the Service keeps all that it should have.
	whole bool
	// still: see still.go.
	still bool
	// previous is the Service's assignment in the pass before; nil when there was none.
	previous *Assignment
}

// Plain reports whether the Service has what it should have, and nothing else is to be said of it: then all that follows from the
// assignment follows from Addresses.
func (a *Assignment) Plain() bool {
	return a.RequestError == nil && len(a.Missing) == 0 && len(a.Released) == 0 && len(a.Foreign) == 0 && len(a.PortConflicts) == 0 &&
		a.MissingSince.IsZero() && a.KeptUntil.IsZero()
}

// Address is an address that a Service holds, and the pool it comes from.
type Address struct {
	Addr netip.Addr
	Pool *lb.Pool
	// Joined: another Service had the address first, and this one joined it.
	Joined bool
	// Missing: the pool does not exist.
	Missing bool
	// KeptDespite is why the pool would not give the address today, though the Service keeps it; Allowed when it would.
	KeptDespite Cause
}

// Allocation returns the address as provenance of its Service.
func (a *Address) Allocation() lb.Allocation {
	return lb.Allocation{Addr: a.Addr, Pool: a.Pool.Name, Joined: a.Joined, Missing: a.Missing}
}

// Release is an address that a Service has to give up.
type Release struct {
	Addr  netip.Addr
	Cause Cause
	// Holder of the address, when Cause is Taken.
	Holder lb.Key
	// Foreign: the holder is in another namespace, and the text does not name it.
	Foreign bool
}

// Cleanup is a Service that Daymark does not serve any more and whose provenance says that it did.
type Cleanup struct {
	Service *lb.Service
	// Waits: a speaker may still announce the addresses. Nothing is removed before, and nobody else gets them.
	Waits bool
	// Addresses to remove from its status: those that Daymark gave, unless another provider is to serve the Service. That
	// one may keep the address, or write its own.
	Addresses []netip.Addr
}

// PoolUse is the state of a pool.
type PoolUse struct {
	Pool *lb.Pool
	// IPv4 and IPv6 counts; nil when the pool has no address of that family.
	IPv4, IPv6 *Count
	// Overlaps with other pools, in order of their names.
	Overlaps []Overlap
	// Nodes whose addresses or default gateways are in the pool, and BGPPeers whose routers are, in order of address.
	Nodes []NodeAddress
	// Blocked are the ranges of the pool that are never given, in order of address.
	Blocked []BlockedRange
	// Left are the network addresses of subnets and those in spec.externalIPs that the pool leaves out, in order of address.
	Left []BlockedRange
}

// Count returns the count of one family; nil when the pool has no address of it.
func (u *PoolUse) Count(family lb.Family) *Count {
	if family == lb.IPv6 {
		return u.IPv6
	}
	return u.IPv4
}

// Count counts the addresses of one family in a pool.
type Count struct {
	// Assigned to Services. An address that several Services share counts once.
	Assigned int64
	// Available to Services that request one now.
	Available *big.Int
	// Reserved for Services that do not exist or do not have them.
	Reserved *big.Int
	// ReuseDelayed addresses were released and may not be given yet. ReusableFrom is when the first of them may be.
	ReuseDelayed int64
	ReusableFrom time.Time
	// NodeOwned are nodes' own addresses. Unmanaged are in the status of Services that Daymark does not serve. Neither counts
	// addresses that are also assigned.
	NodeOwned, Unmanaged int64
	// NeverGiven are default gateways, routers, network addresses of subnets and addresses in spec.externalIPs of Services, without
	// those that are also assigned.
	NeverGiven int64
	// Waiting are Services that the pool serves, and that wait for an address because it has none left, nor any other pool for them.
	Waiting int64
}

// Overlap is a range of addresses that two pools name.
type Overlap struct {
	Other *lb.Pool
	// Keeps: this pool is the older one and has the addresses.
	Keeps bool
	// Range is the first range that both name.
	Range lb.Range
}

// NodeAddress is an address of a node or a router.
type NodeAddress struct {
	Addr netip.Addr
	// Node is empty if it is that of a router of a BGPPeer, by name.
	Node, Peer string
	// Gateway: it is the node's default gateway, and not its own.
	Gateway bool
}

// ReservationUse is the state of a reservation.
type ReservationUse struct {
	Reservation *lb.Reservation
	// Taken are the reserved addresses that other Services hold, in order of address. Those Services keep them.
	Taken []Release
	// Overlaps are the older reservations that reserve some of the addresses, in order of name.
	Overlaps []string
	// OutsidePools is the first range of reserved addresses that no pool contains; the zero Range when there is none.
	OutsidePools lb.Range
}

// Memory is what one pass tells the next. A new process starts without it.
type Memory struct {
	// Assignments of the pass before. They tell an address that a Service held from one that somebody else wrote into its
	// status, and a Service whose sharing terms changed from its neighbors.
	Assignments []Assignment
	// Leaving are the Services of Cleanups that have the finalizer, in order of key.
	Leaving []Leaving
	// Silent are the versions of speakers that did not answer in time, by node: who says no other is not waited for.
	Silent map[string]uint64
	// Freed are the addresses that were released and whose reuse delay has not ended.
	Freed map[netip.Addr]FreedAddress
}

// FreedAddress is the release of an address.
type FreedAddress struct {
	// Service that had the address. It may have it again at any time.
	Service lb.Key
	Since   time.Time
}
