package ipam

import (
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// sharingTerms must be equal for all Services that share an address: the sharing key, the external traffic policy and, under
// the policy Local, the selected pods. Under Local a node without such pods must not attract the traffic.
type sharingTerms struct {
	key                 string
	local               bool
	namespace, selector string
}

func sharingTermsOf(s *lb.Service) sharingTerms {
	if !s.Local {
		return sharingTerms{key: s.SharingKey}
	}
	return sharingTerms{s.SharingKey, true, s.Key.Namespace, labels.Set(s.Selector).String()}
}

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

// shareableAddresses are the addresses that Services of the same sharing terms hold, in the order in which they were taken.
type shareableAddresses struct {
	addrs []netip.Addr
	// skip is, for each port, on how many of the first addresses the port is taken.
	skip map[lb.Port]int
}

// findShareable looks for an address of a family that a Service may share. A port that is taken on an address stays taken
// for the whole pass. So those addresses are skipped, and the cost is not the square of the number of Services.
func (p *pass) findShareable(a *Assignment, family lb.Family) (Address, bool) {
	s := a.Service
	list := p.shareable[sharingTermsOf(s)]
	if list == nil {
		return Address{}, false
	}
	start := 0
	for _, port := range s.Ports {
		start = max(start, p.skipTaken(list, port))
	}
	c := check{assignment: a, family: family, requested: len(s.RequestedPools) > 0}
	for _, addr := range list.addrs[start:] {
		if lb.FamilyOf(addr) != family || p.allocations.conflict(addr, s) != nil {
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
	list.skip[port] = i
	return i
}

// addShareable makes an address known to the Services of the same sharing terms.
func (p *pass) addShareable(s *lb.Service, addr netip.Addr) {
	terms := sharingTermsOf(s)
	list := p.shareable[terms]
	if list == nil {
		list = &shareableAddresses{skip: map[lb.Port]int{}}
		p.shareable[terms] = list
	}
	list.addrs = append(list.addrs, addr)
}
