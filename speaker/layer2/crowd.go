package layer2

import (
	"container/list"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxClients bounds the clients that are remembered of one address, and maxAllClients those of all. Anybody on the segment
	// can make up clients. Those beyond are forgotten, who asked longest ago first: they learn of another node only when they
	// ask again.
	maxClients    = 4096
	maxAllClients = 32 * maxClients
)

// neighbor is a host that has asked for an address, as a frame to it needs it.
type neighbor struct {
	addr netip.Addr
	mac  mac
	// interfaceName is the interface that it asked by.
	interfaceName string
}

// clientKey names a client: the same address on another interface is another host.
type clientKey struct {
	addr          netip.Addr
	interfaceName string
}

// hostKey names a host, which may be several clients.
type hostKey struct {
	mac           mac
	interfaceName string
}

// crowds remember who asks for the addresses that are shared, or may be: ARP and NDP requests reach all nodes, so each knows
// also those that another node answers, and can tell them when it takes that node's place.
type crowds struct {
	remembered prometheus.Gauge
	forgotten  prometheus.Counter

	mu    sync.Mutex
	of    map[netip.Addr]*crowd
	total int
}

// crowd is who has asked for one address.
type crowd struct {
	// order has a *neighbor each, who asked last first.
	order  list.List
	places map[clientKey]*list.Element
	// asked is the address by which each host has asked all for the address last. A host has one entry for the address, whatever
	// its own addresses are, and asks by another one, its link-local, whether the entry is still right.
	asked map[hostKey]netip.Addr
}

func newCrowds(m *metrics) *crowds {
	return &crowds{remembered: m.clients, forgotten: m.clientsForgotten, of: map[netip.Addr]*crowd{}}
}

// keep remembers who asks for these addresses, and forgets those of all others.
func (c *crowds) keep(addresses map[netip.Addr]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for addr, known := range c.of {
		if !addresses[addr] {
			c.total -= known.order.Len()
			delete(c.of, addr)
		}
	}
	for addr := range addresses {
		if c.of[addr] == nil {
			c.of[addr] = &crowd{places: map[clientKey]*list.Element{}, asked: map[hostKey]netip.Addr{}}
		}
	}
	c.remembered.Set(float64(c.total))
}

// heard remembers that a client asks for an address.
func (c *crowds) heard(addr netip.Addr, by neighbor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.of[addr]
	if known == nil || !by.addr.IsValid() || by.addr.IsUnspecified() {
		return
	}
	key := clientKey{by.addr, by.interfaceName}
	place := known.places[key]
	if place == nil {
		c.makeRoom(known)
		place = known.order.PushFront(&neighbor{})
		known.places[key] = place
		c.total++
	}
	known.forgetHost(place.Value.(*neighbor))
	place.Value = &by
	known.order.MoveToFront(place)
	known.asked[hostKey{by.mac, by.interfaceName}] = by.addr
	c.remembered.Set(float64(c.total))
}

// makeRoom forgets a client, if there is no room for one more of a crowd: the oldest of this one, or, when all have too many together, of one
// with more than its part. The caller holds mu.
func (c *crowds) makeRoom(of *crowd) {
	part := max(1, maxAllClients/len(c.of))
	switch {
	case of.order.Len() >= maxClients || c.total >= maxAllClients && of.order.Len() >= part:
		c.forgetOldest(of)
	case c.total >= maxAllClients:
		// order does not matter: any that has more than its part will do, and there is one.
		for _, other := range c.of {
			if other.order.Len() >= part {
				c.forgetOldest(other)
				return
			}
		}
	}
}

func (c *crowds) forgetOldest(of *crowd) {
	oldest := of.order.Remove(of.order.Back()).(*neighbor)
	delete(of.places, clientKey{oldest.addr, oldest.interfaceName})
	of.forgetHost(oldest)
	c.total--
	c.forgotten.Inc()
}

// forgetHost forgets by which address the host of a client has asked, if it is the client's.
func (c *crowd) forgetHost(of *neighbor) {
	if key := (hostKey{of.mac, of.interfaceName}); c.asked[key] == of.addr {
		delete(c.asked, key)
	}
}

// lastAsked returns the address by which a host has last asked all for an address; false: it has not.
func (c *crowds) lastAsked(addr netip.Addr, by hostKey) (netip.Addr, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.of[addr]
	if known == nil {
		return netip.Addr{}, false
	}
	last, asked := known.asked[by]
	return last, asked
}

// clients returns who has asked for an address, those who asked last first.
func (c *crowds) clients(addr netip.Addr) []neighbor {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.of[addr]
	if known == nil {
		return nil
	}
	all := make([]neighbor, 0, known.order.Len())
	for place := known.order.Front(); place != nil; place = place.Next() {
		all = append(all, *place.Value.(*neighbor))
	}
	return all
}

// count returns how many clients of an address are remembered.
func (c *crowds) count(addr netip.Addr) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.of[addr]
	if known == nil {
		return 0
	}
	return known.order.Len()
}
