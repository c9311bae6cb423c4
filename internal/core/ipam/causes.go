package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// Cause is why a pool does not give an address to a Service, or why a Service does not keep one. Its number is its place in
// the list causes, which says everything about it. To add a Cause, add a constant and its entry in the list.
type Cause uint8

// The causes, in the order in which they are checked. The first one that applies is the one that is reported.
const (
	// Allowed is no Cause: the pool gives the address, or the Service keeps it.
	Allowed Cause = iota
	NoSuchPool
	NotInPool
	OtherPoolRequested
	PoolInvalid
	FamilyMismatch
	AutoAssignOff
	PoolDraining
	NamespaceNotServed
	ServiceNotSelected
	OverQuota
	NodeOwned
	GatewayOwned
	RouterOwned
	NetworkAddress
	ExternalIP
	ClusterRange
	SpecialRange
	Avoided
	Reserved
	Taken
	Unmanaged
	ReuseDelayed
	Exhausted
	OtherAddressRequested
	Surplus
	Replaced
	PoolMissing
	causeCount
)

// causeEntry is everything that the package knows of a Cause.
type causeEntry struct {
	name string
	// applies reports whether the Cause keeps an address from being given. It is nil when no check finds the Cause: it is
	// then the result of a search, or a Cause of releases only.
	applies func(*pass, check) bool
	// text completes "pool NAME ..." in the message for a Service that waits. It is nil for a Cause of releases only.
	text func(*Verdict, lb.Family) string
	// requested is the reason of the condition when the Service requests this address; any is the reason when any address
	// would do. Of several pools, the one whose Cause comes last in the list decides: it came closest to giving an address.
	requested, any reason.Reason
	// released completes "ADDRESS is given up: ...", after the name of its new holder if there is one. It is empty when no
	// address is released because of this Cause.
	released string
	// kept completes "ADDRESS from pool NAME" for an address that the Service keeps in spite of the Cause; it may be empty.
	kept string
}

// causes are the entries of all causes. What a Cause means is the comment of its entry.
var causes = [causeCount]causeEntry{
	Allowed: {name: "Allowed"},
	// The Service names a pool that does not exist.
	NoSuchPool: {
		name:      "NoSuchPool",
		text:      says("does not exist"),
		requested: ReasonNotInPool, any: ReasonNoPool,
	},
	// The pool does not contain the requested address, or no pool contains the held one.
	NotInPool: {
		name:      "NotInPool",
		text:      says("does not contain it"),
		requested: ReasonNotInPool, any: ReasonNoPool,
		released: "no pool contains it any more",
	},
	// The Service names other pools.
	OtherPoolRequested: {
		name: "OtherPoolRequested",
		applies: func(_ *pass, c check) bool {
			names := c.assignment.Service.RequestedPools
			return len(names) > 0 && !slices.Contains(names, c.pool.Name)
		},
		text:      says("has it, and the Service asks for another pool"),
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
		released: "the Service asks for another pool",
	},
	// The pool's specification cannot be read.
	PoolInvalid: {
		name:      "PoolInvalid",
		applies:   func(_ *pass, c check) bool { return c.pool.Closed() },
		text:      says("cannot be read"),
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
		kept: ", which cannot be read at the moment",
	},
	// The pool has no address of the family, or the Service does not want the family.
	FamilyMismatch: {
		name:      "FamilyMismatch",
		applies:   func(_ *pass, c check) bool { return !c.pool.has(c.family) },
		text:      func(_ *Verdict, family lb.Family) string { return "has no " + family.String() + " addresses" },
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
		released: "the Service does not want an address of its family any more",
	},
	// The pool serves only Services that name it or one of its addresses, and those with a reservation.
	AutoAssignOff: {
		name:      "AutoAssignOff",
		applies:   func(_ *pass, c check) bool { return !c.requested && !c.pool.AutoAssign },
		text:      says("serves only Services that ask for it"),
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
	},
	// The pool gives nothing new.
	PoolDraining: {
		name:      "PoolDraining",
		applies:   func(_ *pass, c check) bool { return c.pool.Drain },
		text:      says("is being drained"),
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
	},
	// The pool does not serve the Service's namespace.
	NamespaceNotServed: {
		name: "NamespaceNotServed",
		applies: func(p *pass, c check) bool {
			namespace := c.assignment.Service.Key.Namespace
			return !c.pool.ServesNamespace(namespace, p.world.Namespaces[namespace])
		},
		text:      says("does not serve the namespace"),
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
		released: notServed,
		kept:     ", which does not serve the namespace any more",
	},
	// None of the pool's serviceSelectors matches the Service.
	ServiceNotSelected: {
		name:      "ServiceNotSelected",
		applies:   func(_ *pass, c check) bool { return !c.pool.ServiceSelectors.MatchLabels(c.assignment.Service.Labels) },
		text:      says("serves only Services with other labels"),
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
		released: notServed,
		kept:     ", whose serviceSelectors do not match any more",
	},
	// The Services of the namespace hold as many addresses of the pool as they may.
	OverQuota: {
		name:    "OverQuota",
		applies: (*pass).overQuota,
		text: func(v *Verdict, _ lb.Family) string {
			text := fmt.Sprintf("gives a namespace %d addresses at most", v.Use.Pool.MaxPerNamespace)
			if v.Use.Pool.ReuseDelay > 0 {
				text += ", and counts those that rest"
			}
			return text
		},
		requested: ReasonOverQuota, any: ReasonOverQuota,
	},
	// The requested address is a node's own, on any of its interfaces.
	NodeOwned: {
		name:      "NodeOwned",
		applies:   usedBy(NodeOwned),
		text:      func(v *Verdict, _ lb.Family) string { return "never gives it, it is node " + v.Holder + "'s own" },
		requested: ReasonTaken, any: ReasonNoPool,
		kept: ", which is a node's own as well",
	},
	// The requested address is the default gateway of a node.
	GatewayOwned: {
		name:    "GatewayOwned",
		applies: usedBy(GatewayOwned),
		text: func(v *Verdict, _ lb.Family) string {
			return "never gives it, it is the default gateway of node " + v.Holder
		},
		requested: ReasonTaken, any: ReasonNoPool,
		kept: ", which is the default gateway of a node as well",
	},
	// The requested address is that of a router that a BGPPeer names.
	RouterOwned: {
		name:      "RouterOwned",
		applies:   usedBy(RouterOwned),
		text:      func(v *Verdict, _ lb.Family) string { return "never gives it, it is the router of BGPPeer " + v.Holder },
		requested: ReasonTaken, any: ReasonNoPool,
		kept: ", which is the router of a BGPPeer as well",
	},
	// The requested address is the network, broadcast or subnet-router anycast address of a subnet that a node is on.
	NetworkAddress: {
		name:    "NetworkAddress",
		applies: usedBy(NetworkAddress),
		text: func(v *Verdict, _ lb.Family) string {
			return "does not give it, no host may have it in the subnet " + v.Holder + " of the nodes"
		},
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
		kept: ", which no host may have in a subnet of the nodes",
	},
	// The requested address is in spec.externalIPs of another Service, and no Service has it.
	ExternalIP: {
		name: "ExternalIP",
		applies: func(p *pass, c check) bool {
			return p.allocations.entries[c.addr].holder == nil && p.never.of(c.addr, c.assignment.Service) == ExternalIP
		},
		text: func(v *Verdict, _ lb.Family) string {
			return "does not give it, it is in spec.externalIPs of " + v.Holder
		},
		requested: ReasonTaken, any: ReasonNoPool,
		kept: ", which is in spec.externalIPs of another Service as well",
	},
	// The requested address is in a range that the cluster uses for Services or pods.
	ClusterRange: {
		name:      "ClusterRange",
		applies:   usedBy(ClusterRange),
		text:      func(v *Verdict, _ lb.Family) string { return "never gives it, it is in " + v.Holder },
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
		kept: ", which is in a range of the cluster's own network",
	},
	// The requested address is not one that hosts may have.
	SpecialRange: {
		name:    "SpecialRange",
		applies: usedBy(SpecialRange),
		text: func(v *Verdict, _ lb.Family) string {
			return "never gives it, it is in a range of " + v.Holder + " addresses"
		},
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
		kept: ", which is not an address for hosts",
	},
	// The requested address ends in .0 or .255, and the pool avoids those.
	Avoided: {
		name:      "Avoided",
		applies:   func(_ *pass, c check) bool { return c.pool.AvoidBuggyIPs && mayBeBroadcast(c.addr) },
		text:      says("leaves out addresses that end in .0 or .255"),
		requested: ReasonPoolNotEligible, any: ReasonNoPool,
	},
	// The requested address is reserved for other Services.
	Reserved: {
		name: "Reserved",
		applies: func(p *pass, c check) bool {
			r := p.reservations.of(c.addr)
			return r != nil && !r.For(c.assignment.Service)
		},
		text:      func(v *Verdict, _ lb.Family) string { return "keeps it for IPReservation " + v.Holder },
		requested: ReasonReserved, any: ReasonNoPool,
	},
	// Another Service has the address, and the two may not share it.
	Taken: {
		name:      "Taken",
		applies:   func(p *pass, c check) bool { return p.blockedBy(c.addr, c.assignment.Service) == Taken },
		text:      func(v *Verdict, _ lb.Family) string { return "has given it to " + v.Holder },
		requested: ReasonTaken, any: ReasonNoPool,
		released: "has it, and the two may not share it",
	},
	// A Service that Daymark does not serve shows the requested address in its status.
	Unmanaged: {
		name:    "Unmanaged",
		applies: func(p *pass, c check) bool { return p.blockedBy(c.addr, c.assignment.Service) == Unmanaged },
		text: func(v *Verdict, _ lb.Family) string {
			return "does not give it, it is in the status of " + v.Holder
		},
		requested: ReasonTaken, any: ReasonNoPool,
	},
	// The requested address was released, and its pool's reuse delay has not ended.
	ReuseDelayed: {
		name:    "ReuseDelayed",
		applies: func(p *pass, c check) bool { return p.blockedBy(c.addr, c.assignment.Service) == ReuseDelayed },
		text: func(v *Verdict, _ lb.Family) string {
			return "lets it rest until " + v.Until.UTC().Format(time.RFC3339)
		},
		requested: ReasonReuseDelayed, any: ReasonNoPool,
	},
	// The pool has no free address. Its Count says what its addresses are used for.
	Exhausted: {
		name:      "Exhausted",
		text:      func(v *Verdict, _ lb.Family) string { return v.Use.exhaustedText() },
		requested: ReasonPoolExhausted, any: ReasonPoolExhausted,
	},
	// The Service requests other addresses than the one it holds.
	OtherAddressRequested: {
		name:     "OtherAddressRequested",
		released: "the Service asks for another",
	},
	// The Service holds another address of the family and does not request a second one.
	Surplus: {
		name:     "Surplus",
		released: "the Service asks for one address of its family",
	},
	// Somebody else wrote the address into the status, and the Service has one of ours in its place.
	Replaced: {
		name:     "Replaced",
		released: "Daymark did not give it, and has given the Service an address in its place",
	},
	// The pool that gave the address does not exist, and its grace time has not ended.
	PoolMissing: {
		name: "PoolMissing",
		kept: ", which does not exist any more",
	},
}

// notServed is the text for a release because of the pool's serviceAllocation.
const notServed = "the pool that contains it did not give it and does not serve the Service"

// says returns a text that is always the same.
func says(text string) func(*Verdict, lb.Family) string {
	return func(*Verdict, lb.Family) string { return text }
}

// String returns the name of the Cause.
func (c Cause) String() string { return causes[c].name }

// check is the question whether a pool gives a Service an address.
type check struct {
	assignment *Assignment
	pool       *pool
	family     lb.Family
	// requested: the Service names the pool or the address, or has a reservation.
	requested bool
	// addr is the address in question. It is the zero Addr while a pool is looked at before its addresses are.
	addr netip.Addr
}

// firstCause returns the first Cause of a part of the list that applies, or Allowed. The ends of the part belong to it. Each
// Cause in it must have a check.
func (p *pass) firstCause(c check, from, to Cause) Cause {
	for cause := from; cause <= to; cause++ {
		if causes[cause].applies(p, c) {
			return cause
		}
	}
	return Allowed
}

// poolCause returns why a pool does not give a Service one more address of a family, or Allowed. It does not look whether an
// address is free.
func (p *pass) poolCause(c check) Cause { return p.firstCause(c, OtherPoolRequested, OverQuota) }

// addressCause returns why a pool does not give a Service a certain address, or Allowed.
func (p *pass) addressCause(c check) Cause { return p.firstCause(c, OtherPoolRequested, ReuseDelayed) }

// selectionCause returns why a pool does not serve a Service, or Allowed. It is all that counts for an address that a
// Service shows and that another pool gave: whether the pool gives new addresses does not matter.
func (p *pass) selectionCause(pool *pool, a *Assignment) Cause {
	return p.firstCause(check{assignment: a, pool: pool}, NamespaceNotServed, ServiceNotSelected)
}

// overQuota reports whether a Service's namespace holds as many addresses of a pool as it may. An address that another
// Service of the namespace holds already, or that rests for the namespace, does not count again.
func (p *pass) overQuota(c check) bool {
	s := c.assignment.Service
	return c.pool.perNamespace != nil && p.willHold(c.pool, c.assignment) >= c.pool.MaxPerNamespace &&
		!(c.addr.IsValid() && (p.joins(s, c.addr) || p.restsFor(s.Key.Namespace, c.addr)))
}

// blockedBy returns why the allocations so far keep a Service from an address, or Allowed.
func (p *pass) blockedBy(addr netip.Addr, s *lb.Service) Cause {
	known, ok := p.allocations.entries[addr]
	switch {
	case !ok:
		return Allowed
	case known.cause == ReuseDelayed && p.plan.Memory.Freed[addr].Service == s.Key:
		return Allowed // the Service had it itself
	case known.holder != nil && p.allocations.conflict(addr, s, true) == nil:
		return Allowed // the Service may share it
	}
	return known.cause
}

// Verdict is why one pool did not give an address.
type Verdict struct {
	// Pool is the pool's name. Use is nil when there is no such pool.
	Pool  string
	Use   *PoolUse
	Cause Cause
	// Holder of the address in words: a Service (Taken, Unmanaged), an IPReservation (Reserved) or a node (NodeOwned). A
	// Service of another namespace has no name here.
	Holder string
	// Until is when the reuse delay ends (ReuseDelayed).
	Until time.Time
}

// Missing is an address that a Service should have and does not get, and the pools that were tried.
type Missing struct {
	Family lb.Family
	// Addr is the requested address; invalid when any address would do.
	Addr netip.Addr
	// Verdicts on all pools that were looked at, in that order. Several Services share the list: do not change it.
	Verdicts []Verdict

	// sharedText are the verdicts as text, when several Services share them; else nil.
	sharedText *string
}
