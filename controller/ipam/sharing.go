package ipam

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/lb"
)

// mayShare reports whether two Services may have one address: the same key, no port of one protocol in both, the same
// external traffic policy, and under Local the same pods, since a node with none of them must not attract the traffic.
func mayShare(a, b *lb.Service) bool {
	if a.SharingKey == "" || a.SharingKey != b.SharingKey || a.Local != b.Local {
		return false
	}
	if a.Local && (a.Key.Namespace != b.Key.Namespace || !maps.Equal(a.Selector, b.Selector)) {
		return false
	}
	for _, port := range a.Ports {
		if slices.Contains(b.Ports, port) {
			return false
		}
	}
	return true
}

// terms writes down all that mayShare looks at, to see whether a Service changed it.
func terms(s *lb.Service) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%q %v %v", s.SharingKey, s.Local, s.Ports)
	if s.Local {
		for _, key := range slices.Sorted(maps.Keys(s.Selector)) {
			fmt.Fprintf(&text, " %s=%s", key, s.Selector[key])
		}
	}
	return text.String()
}

// common is the addresses that Services of one sharing key hold, in the order they were taken.
type common struct {
	addrs []Address
	// from is, for each port, how many of the first addresses are of no use to a Service with that port: it is taken there.
	from map[lb.Port]int
}

// shareable finds an address of a family that a Service may share, among those of pools that pass the test. What is
// behind common.from stays of no use for the whole pass, so many Services of one key do not cost the square of them.
func (p *pass) shareable(s *lb.Service, family lb.Family, serves func(*pool, netip.Addr) bool) (Address, bool) {
	c := p.common[s.SharingKey]
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
	for i < len(c.addrs) && !p.book.holders(c.addrs[i].Addr, func(holder *lb.Service) bool { return !slices.Contains(holder.Ports, port) }) {
		i++
	}
	c.from[port] = i
	return i
}

// offer lets others of the same key find an address.
func (p *pass) offer(s *lb.Service, a Address) {
	c := p.common[s.SharingKey]
	if c == nil {
		c = &common{from: map[lb.Port]int{}}
		p.common[s.SharingKey] = c
	}
	c.addrs = append(c.addrs, a)
}
