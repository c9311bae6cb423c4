package ipam

import (
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// sharingTerms must be equal for all Services that share an address: the sharing key and the external traffic policy. Under the
// policy Local the address is announced only from nodes with endpoints of all of them (internal/core/announce).
type sharingTerms struct {
	key   string
	local bool
}

func sharingTermsOf(s *lb.Service) sharingTerms { return sharingTerms{s.SharingKey, s.Local} }

// sameSharing reports whether two Services share addresses and have the same sharing terms.
func sameSharing(a, b *lb.Service) bool {
	return a.SharingKey != "" && a.SharingKey == b.SharingKey && sharingTermsOf(a) == sharingTermsOf(b)
}

// mayShare reports whether two Services may have one address: their sharing terms are the same and they have no port in
// common.
func mayShare(a, b *lb.Service) bool {
	return sameSharing(a, b) && !slices.ContainsFunc(a.Ports, func(port lb.Port) bool { return slices.Contains(b.Ports, port) })
}

// sharingChanged reports whether a Service's sharing terms or ports are others than before.
func sharingChanged(before, now *lb.Service) bool {
	return before != now && (sharingTermsOf(before) != sharingTermsOf(now) || !slices.Equal(before.Ports, now.Ports))
}

// shareKey are the sharing terms of addresses, and the namespace whose Services may join them; empty for those whose first Service
// lets other namespaces join.
type shareKey struct {
	terms     sharingTerms
	namespace string
}

// shareableAddresses are the addresses of one shareKey, in the order in which they were taken.
type shareableAddresses struct {
	addrs []netip.Addr
	// skip is, for each port, on how many of the first addresses the port is taken.
	skip map[lb.Port]int
}

// findShareable looks for an address of a family that a Service may share: of its own namespace first.
func (p *pass) findShareable(a *Assignment, family lb.Family) (Address, bool) {
	for _, namespace := range []string{a.Service.Key.Namespace, ""} {
		if list := p.shareable[shareKey{sharingTermsOf(a.Service), namespace}]; list != nil {
			if address, ok := p.findInList(a, family, list); ok {
				return address, true
			}
		}
	}
	return Address{}, false
}

// findInList looks for an address in a list. A port that is taken on an address stays taken for the whole pass. So those addresses
// are skipped, and the cost is not the square of the number of Services.
func (p *pass) findInList(a *Assignment, family lb.Family, list *shareableAddresses) (Address, bool) {
	s := a.Service
	start := 0
	for _, port := range s.Ports {
		start = max(start, p.skipTaken(list, port))
	}
	c := check{assignment: a, family: family, requested: len(s.RequestedPools) > 0}
	for _, addr := range list.addrs[start:] {
		if lb.FamilyOf(addr) != family || p.allocations.conflict(addr, s, true) != nil {
			continue
		}
		// The pool that has the address today counts, not the one that the other Service has it from.
		if from := p.world.Pools.Containing(addr); from != nil {
			c.pool, c.addr = p.byPool[from], addr
			if p.firstCause(c, OtherPoolRequested, Reserved) == Allowed {
				return Address{Addr: addr, Pool: from}, true
			}
		}
	}
	return Address{}, false
}

// skipTaken returns on how many of the first addresses a port is taken, and remembers the number.
func (p *pass) skipTaken(list *shareableAddresses, port lb.Port) int {
	i := list.skip[port]
	for i < len(list.addrs) && p.allocations.portHolder(list.addrs[i], port) != nil {
		i++
	}
	if i > 0 {
		if list.skip == nil {
			list.skip = map[lb.Port]int{}
		}
		list.skip[port] = i
	}
	return i
}

// addShareable makes an address that a Service has first known to those that may join it.
func (p *pass) addShareable(s *lb.Service, addr netip.Addr) {
	p.addToList(shareKey{sharingTermsOf(s), s.Key.Namespace}, addr)
	if len(s.SharedNamespaces) > 0 {
		p.addToList(shareKey{sharingTermsOf(s), ""}, addr)
	}
}

func (p *pass) addToList(key shareKey, addr netip.Addr) {
	list := p.shareable[key]
	if list == nil {
		list = &shareableAddresses{}
		p.shareable[key] = list
	}
	list.addrs = append(list.addrs, addr)
}
