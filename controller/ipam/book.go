package ipam

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/lb"
)

// book is who has which address in this pass. Entries are made and joined, never taken out.
type book struct {
	entries map[netip.Addr]entry
	// further holders of shared addresses, beside the one in the entry.
	further map[netip.Addr][]*lb.Service
	// shown: Services whose status shows an address that they do not hold, or not any more.
	shown map[netip.Addr][]*lb.Service
}

// entry is why an address cannot be given to just anybody.
type entry struct {
	// holder; nil when no Service of ours has the address.
	holder *lb.Service
	// why: Taken, Resting, OfNode.
	why    Why
	shared bool
}

func newBook(size int) book {
	return book{entries: make(map[netip.Addr]entry, size), further: map[netip.Addr][]*lb.Service{}, shown: map[netip.Addr][]*lb.Service{}}
}

// free reports whether nobody has an address and nothing else keeps it back.
func (b *book) free(addr netip.Addr) bool {
	_, known := b.entries[addr]
	return !known
}

// take makes a Service the first holder of an address, or one more of an address that it may share. It reports whether it
// is the first.
func (b *book) take(addr netip.Addr, s *lb.Service) (first bool) {
	e := b.entries[addr]
	if e.holder == nil {
		b.entries[addr] = entry{holder: s, why: Taken}
		return true
	}
	e.shared = true
	b.entries[addr] = e
	b.further[addr] = append(b.further[addr], s)
	return false
}

// withhold keeps an address back for a reason that is not one of our Services, unless one has it.
func (b *book) withhold(addr netip.Addr, why Why) {
	if b.free(addr) {
		b.entries[addr] = entry{why: why}
	}
}

// show keeps an address back from all that may not share it with a Service whose status shows it.
func (b *book) show(addr netip.Addr, s *lb.Service) {
	b.withhold(addr, Taken)
	b.shown[addr] = append(b.shown[addr], s)
}

// holders calls visit for the Services that have an address, until it says no. It reports whether it never did.
func (b *book) holders(addr netip.Addr, visit func(*lb.Service) bool) bool {
	e := b.entries[addr]
	if e.holder != nil && !visit(e.holder) {
		return false
	}
	if !e.shared {
		return true
	}
	for _, s := range b.further[addr] {
		if !visit(s) {
			return false
		}
	}
	return true
}

// opponent finds a Service that has an address, or shows it, and that another may not share it with; nil when it may
// join them all.
func (b *book) opponent(addr netip.Addr, s *lb.Service) *lb.Service {
	var found *lb.Service
	b.holders(addr, func(holder *lb.Service) bool {
		if holder != s && !mayShare(holder, s) {
			found = holder
		}
		return found == nil
	})
	if found != nil || len(b.shown) == 0 {
		return found
	}
	for _, other := range b.shown[addr] {
		if other != s && !mayShare(other, s) {
			return other
		}
	}
	return nil
}
