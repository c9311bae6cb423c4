package layer2

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/shares"
)

// Held is an address that this node answers for.
type Held struct {
	Addr netip.Addr
	// Interfaces on which it is really answered, sorted: the desired ones without those that are missing or down.
	Interfaces []string
	// Since is when this process began to answer for it without interruption, on any interface.
	Since time.Time
	// Shares of the clients that are answered here, if other nodes answer the others; none: all are answered here.
	Shares shares.Set
	// SharedBy is the node that holds the address, if it is shared; empty also where it has no holder now.
	SharedBy string
}

// Held returns the addresses that are really answered for, in order of address. The list is shared, and must not be changed.
func (r *Responder) Held() []Held {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heldList == nil {
		r.heldList = slices.SortedFunc(maps.Values(r.held), func(a, b Held) int { return a.Addr.Compare(b.Addr) })
	}
	return r.heldList
}

// recordHeld updates held from the sockets.
func (r *Responder) recordHeld() {
	before, now := r.held, time.Now()
	r.held, r.heldList = make(map[netip.Addr]Held, len(before)), nil
	for _, s := range *r.live.Load() {
		for addr, v := range *s.addresses.Load() {
			if v.held.Load() {
				since := now
				if h, ok := before[addr]; ok {
					since = h.Since
				}
				r.recordHeldOn(addr, s.name, since, v)
			}
		}
	}
	r.metrics.setHeld(r.held)
}

// recordHeldOn records that an address is held on one more interface, and since when if it is the first.
func (r *Responder) recordHeldOn(addr netip.Addr, on string, since time.Time, v *vip) {
	h, known := r.held[addr]
	if !known {
		h = Held{Addr: addr, Since: since}
	}
	if h.Shares, h.SharedBy = 0, ""; v.shared() != nil {
		h.Shares, h.SharedBy = v.shared().Own, v.shared().HeldBy
	}
	if place, known := slices.BinarySearch(h.Interfaces, on); !known {
		h.Interfaces = slices.Insert(slices.Clip(h.Interfaces), place, on)
	}
	r.held[addr], r.heldList = h, nil
}
