package ipam

import (
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Why says why a pool does not give an address to a Service, or a Service does not keep one.
type Why uint8

// The reasons.
const (
	// Serves: no reason; the pool does.
	Serves Why = iota
	// Exhausted: no address can be given. What they all do is in the pool's Count.
	Exhausted
	// OverQuota: the namespace holds as many addresses of the pool as it may.
	OverQuota
	// Draining: the pool gives nothing new.
	Draining
	// Unreadable: the pool's specification is wrong.
	Unreadable
	// NotAutomatic: the pool serves only Services that name it or one of its addresses.
	NotAutomatic
	// OtherNamespace: the pool does not serve the Service's namespace.
	OtherNamespace
	// OtherService: none of the pool's serviceSelectors matches the Service.
	OtherService
	// OtherFamily: the pool has no address of the family, or the Service does not want it.
	OtherFamily
	// OtherPool: the Service asks for another pool.
	OtherPool
	// OtherAddress: the Service asks for another address.
	OtherAddress
	// NoSuchPool: the Service names a pool that does not exist.
	NoSuchPool
	// NotInPool: the pool does not contain the requested address.
	NotInPool
	// Taken: another Service has the requested address, and it may not be shared.
	Taken
	// Foreign: a Service that is not ours shows the requested address.
	Foreign
	// Reserved: the requested address is kept for others.
	Reserved
	// Resting: the requested address was given back and rests.
	Resting
	// OfNode: the requested address is a node's own.
	OfNode
	// Buggy: the requested address ends in .0 or .255, which the pool leaves out.
	Buggy
	// Surplus: the Service has another address of the family, and asks for no more.
	Surplus
)

// Missing is an address that a Service should have and does not, and what was tried.
type Missing struct {
	Family lb.Family
	// Addr requested; invalid when any would do.
	Addr netip.Addr
	// Verdicts on all pools that were looked at, in the order they were. Shared between Services: do not change it.
	Verdicts []Verdict

	// answers are the verdicts in words where many Services have the same; nil where they do not.
	answers *string
}

// Verdict is why one pool did not give an address.
type Verdict struct {
	// Pool by name. Use is nil when there is no such pool.
	Pool string
	Use  *PoolUse
	Why  Why
	// Holder: the Service that has the address (Taken, Foreign), or the reservation (Reserved) or node (OfNode) it belongs to.
	Holder string
	// Until the address rests (Resting).
	Until time.Time
}
