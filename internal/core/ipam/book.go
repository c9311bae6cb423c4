package ipam

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// book is who has which address in this pass. Entries are made and joined, never taken out.
type book struct {
	entries map[netip.Addr]entry
	// groups of the addresses that several Services hold.
	groups map[netip.Addr]*group
	// shown: Services whose status shows an address that they do not hold, or not any more.
	shown map[netip.Addr][]*lb.Service
}

// entry is why an address cannot be given to just anybody.
type entry struct {
	// holder, the first if there are several; nil when no Service of ours has the address.
	holder *lb.Service
	// why: Taken, Foreign, Resting, OfNode.
	why Why
	// shared: there is a group.
	shared bool
}

// group is the Services that share an address. Each of them was let in by all the others, so they agree in their terms, and
// a port belongs to one of them: whether one more may join takes one look, however many there are.
type group struct {
	services []*lb.Service
	ports    map[lb.Port]*lb.Service
}

func (g *group) add(s *lb.Service) {
	g.services = append(g.services, s)
	for _, port := range s.Ports {
		g.ports[port] = s
	}
}

func newBook(size int) book {
	return book{entries: make(map[netip.Addr]entry, size), groups: map[netip.Addr]*group{}, shown: map[netip.Addr][]*lb.Service{}}
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
	if !e.shared {
		e.shared = true
		b.entries[addr] = e
		b.groups[addr] = &group{ports: map[lb.Port]*lb.Service{}}
		b.groups[addr].add(e.holder)
	}
	b.groups[addr].add(s)
	return false
}

// withhold keeps an address back for a reason that is not one of our Services, unless one has it.
func (b *book) withhold(addr netip.Addr, why Why) {
	if b.free(addr) {
		b.entries[addr] = entry{why: why}
	}
}

// show keeps an address back from all that may not share it with a Service whose status shows it; why is Taken or Foreign.
func (b *book) show(addr netip.Addr, s *lb.Service, why Why) {
	b.withhold(addr, why)
	b.shown[addr] = append(b.shown[addr], s)
}

// holders are the Services that have an address. Do not change the list.
func (b *book) holders(addr netip.Addr) []*lb.Service {
	switch e := b.entries[addr]; {
	case e.shared:
		return b.groups[addr].services
	case e.holder != nil:
		return []*lb.Service{e.holder}
	}
	return nil
}

// user finds the Service that uses a port of an address; nil when none does.
func (b *book) user(addr netip.Addr, port lb.Port) *lb.Service {
	switch e := b.entries[addr]; {
	case e.shared:
		return b.groups[addr].ports[port]
	case e.holder != nil && slices.Contains(e.holder.Ports, port):
		return e.holder
	}
	return nil
}

// opponent finds a Service that has an address, or shows it, and that another may not share it with; nil when it may
// join them all.
func (b *book) opponent(addr netip.Addr, s *lb.Service) *lb.Service {
	if holder := b.entries[addr].holder; holder != nil {
		if holder != s && !agree(holder, s) {
			return holder
		}
		for _, port := range s.Ports {
			if user := b.user(addr, port); user != nil && user != s {
				return user
			}
		}
	}
	if len(b.shown) == 0 {
		return nil
	}
	for _, other := range b.shown[addr] {
		if other != s && !mayShare(other, s) {
			return other
		}
	}
	return nil
}
