package ipam

import (
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// terms are what Services that share an address agree in: the key, the external traffic policy, and under Local the pods,
// since a node with none of them must not attract the traffic.
type terms struct {
	key                 string
	local               bool
	namespace, selector string
}

func termsOf(s *lb.Service) terms {
	if !s.Local {
		return terms{key: s.SharingKey}
	}
	return terms{s.SharingKey, true, s.Key.Namespace, labels.Set(s.Selector).String()}
}

// agree reports whether two Services share at all, and on the same terms.
func agree(a, b *lb.Service) bool {
	return a.SharingKey != "" && a.SharingKey == b.SharingKey && termsOf(a) == termsOf(b)
}

// mayShare reports whether two Services may have one address: they agree, and no port of one protocol is in both.
func mayShare(a, b *lb.Service) bool {
	return agree(a, b) && !slices.ContainsFunc(a.Ports, func(port lb.Port) bool { return slices.Contains(b.Ports, port) })
}

// changedTerms reports whether a Service shares, or would, on other terms than before.
func changedTerms(before, now *lb.Service) bool {
	return before != now && (termsOf(before) != termsOf(now) || !slices.Equal(before.Ports, now.Ports))
}

// common is the addresses that Services hold on the same terms, in the order they were taken.
type common struct {
	addrs []Address
	// from is, for each port, how many of the first addresses are of no use to a Service with that port: it is taken there.
	from map[lb.Port]int
}

// shareable finds an address of a family that a Service may share, among those of pools that pass the test. What is
// behind common.from stays of no use for the whole pass, so many Services of the same terms do not cost the square of them.
func (p *pass) shareable(s *lb.Service, family lb.Family, serves func(*pool, netip.Addr) bool) (Address, bool) {
	c := p.common[termsOf(s)]
	if c == nil {
		return Address{}, false
	}
	start := 0
	for _, port := range s.Ports {
		start = max(start, p.skipTaken(c, port))
	}
	for _, a := range c.addrs[start:] {
		if lb.FamilyOf(a.Addr) != family || p.book.opponent(a.Addr, s) != nil {
			continue
		}
		// The neighbour may have it from a pool that would not give it today.
		if from := p.world.Pools.Containing(a.Addr); from != nil {
			pool := p.byPool[from]
			if p.withheld(pool, s, a.Addr) == Serves && serves(pool, a.Addr) {
				return Address{Addr: a.Addr, Pool: from}, true
			}
		}
	}
	return Address{}, false
}

// skipTaken moves the mark of a port past the addresses on which it is taken.
func (p *pass) skipTaken(c *common, port lb.Port) int {
	i := c.from[port]
	for i < len(c.addrs) && p.book.user(c.addrs[i].Addr, port) != nil {
		i++
	}
	c.from[port] = i
	return i
}

// offer lets others of the same terms find an address.
func (p *pass) offer(s *lb.Service, a Address) {
	t := termsOf(s)
	c := p.common[t]
	if c == nil {
		c = &common{from: map[lb.Port]int{}}
		p.common[t] = c
	}
	c.addrs = append(c.addrs, a)
}
