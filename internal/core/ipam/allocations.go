package ipam

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// allocations say who has which address in this pass. Entries are added and never removed; a Service may join one.
type allocations struct {
	entries map[netip.Addr]allocation
	// noted are the addresses that have got an entry in this pass, if noting.
	noted  []netip.Addr
	noting bool
	// sharers are the Services of each address that several Services hold.
	sharers map[netip.Addr]*sharers
	// shown are the Services whose status shows an address that they do not hold.
	shown map[netip.Addr][]*lb.Service
}

// allocation is why an address is not free.
type allocation struct {
	// holder is the Service that has the address, the first one when there are several; nil when no Service of ours has it.
	holder *lb.Service
	// cause is Taken, Unmanaged, ReuseDelayed or NodeOwned.
	cause Cause
	// shared: several Services hold the address.
	shared bool
	// still: the Service that has the address is still.
	still bool
}

// sharers are the Services that share an address. Each of them may share it with all the others, so they have the same
// sharing terms and every port belongs to one of them. That makes it one look-up whether one more may join.
type sharers struct {
	services []*lb.Service
	ports    map[lb.Port]*lb.Service
}

func (g *sharers) add(s *lb.Service) {
	g.services = append(g.services, s)
	for _, port := range s.Ports {
		g.ports[port] = s
	}
}

// newAllocations makes allocations without entries, which are to be set.
func newAllocations() allocations {
	return allocations{sharers: map[netip.Addr]*sharers{}, shown: map[netip.Addr][]*lb.Service{}}
}

// put sets an entry. Known: there is one already.
func (l *allocations) put(addr netip.Addr, e allocation, known bool) {
	l.entries[addr] = e
	if l.noting && !known {
		l.noted = append(l.noted, addr)
	}
}

// free reports whether nothing keeps an address from being given.
func (l *allocations) free(addr netip.Addr) bool {
	_, known := l.entries[addr]
	return !known
}

// take makes a Service a holder of an address that it may have. It reports whether it is the first holder.
func (l *allocations) take(addr netip.Addr, s *lb.Service) (first bool) {
	e, known := l.entries[addr]
	if e.holder == nil {
		l.put(addr, allocation{holder: s, cause: Taken}, known)
		return true
	}
	if !e.shared {
		e.shared = true
		l.entries[addr] = e
		l.sharers[addr] = &sharers{ports: map[lb.Port]*lb.Service{}}
		l.sharers[addr].add(e.holder)
	}
	l.sharers[addr].add(s)
	return false
}

// block keeps an address from being given, unless it has an entry already.
func (l *allocations) block(addr netip.Addr, cause Cause) {
	if l.free(addr) {
		l.put(addr, allocation{cause: cause}, false)
	}
}

// blockShown keeps an address from all Services that may not share it with one whose status shows it. The cause is Taken or
// Unmanaged.
func (l *allocations) blockShown(addr netip.Addr, s *lb.Service, cause Cause) {
	l.block(addr, cause)
	l.shown[addr] = append(l.shown[addr], s)
}

// holders returns the Services that have an address. Do not change the list.
func (l *allocations) holders(addr netip.Addr) []*lb.Service {
	switch e := l.entries[addr]; {
	case e.shared:
		return l.sharers[addr].services
	case e.holder != nil:
		return []*lb.Service{e.holder}
	}
	return nil
}

// portHolder returns the Service that uses a port of an address; nil when none does.
func (l *allocations) portHolder(addr netip.Addr, port lb.Port) *lb.Service {
	switch e := l.entries[addr]; {
	case e.shared:
		return l.sharers[addr].ports[port]
	case e.holder != nil && slices.Contains(e.holder.Ports, port):
		return e.holder
	}
	return nil
}

// conflict returns a Service that has an address, or shows it, and that another Service may not share it with; nil when
// there is none. When the other Service joins and does not keep what it has, the one that came first must share with its namespace.
func (l *allocations) conflict(addr netip.Addr, s *lb.Service, joins bool) *lb.Service {
	if holder := l.entries[addr].holder; holder != nil {
		if holder != s && !(sameSharing(holder, s) && (!joins || holder.SharesWith(s.Key.Namespace))) {
			return holder
		}
		for _, port := range s.Ports {
			if user := l.portHolder(addr, port); user != nil && user != s {
				return user
			}
		}
	}
	if len(l.shown) == 0 {
		return nil
	}
	for _, other := range l.shown[addr] {
		if other != s && !(mayShare(other, s) && (!joins || other.SharesWith(s.Key.Namespace))) {
			return other
		}
	}
	return nil
}
