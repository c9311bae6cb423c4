package ipam

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// neverGiven is the addresses of pools that no Service may have, since the cluster's own network uses them. Most clusters have
// few in their pools, so it costs one look-up in a small map.
type neverGiven struct {
	// single are single addresses.
	single map[netip.Addr]usedAddress
	// ranges are merged ranges, and named are the same with their causes and names.
	ranges []lb.Range
	named  []BlockedRange
}

// usedAddress is why a single address is never given.
type usedAddress struct {
	cause Cause
	// user is a node, a BGPPeer or a subnet. It is empty when a Service uses the address.
	user string
	// service has the address in spec.externalIPs. several: more Services do.
	service *lb.Service
	several bool
}

// BlockedRange is a range of a pool that is never given.
type BlockedRange struct {
	// Range is the part of the pool.
	Range lb.Range
	// Cause is NodeOwned, ClusterRange or SpecialRange; NetworkAddress or ExternalIP for a single address.
	Cause Cause
	// Name is what uses the range; empty for ExternalIP, since who reads of the pool may not know the Service.
	Name string
}

// add records a use of an address in a pool. Of several causes the first in the list counts, of several users the first by name.
func (n *neverGiven) add(addr netip.Addr, use usedAddress) {
	known, exists := n.single[addr]
	switch {
	case !exists, use.cause < known.cause, use.cause == known.cause && use.user < known.user:
		n.single[addr] = use
	}
}

// rangeOf returns the blocked range that contains an address; nil when there is none.
func (n *neverGiven) rangeOf(addr netip.Addr) *BlockedRange {
	if len(n.ranges) == 0 || lb.Containing(n.ranges, addr) < 0 {
		return nil
	}
	i := slices.IndexFunc(n.named, func(b BlockedRange) bool { return b.Range.Contains(addr) })
	return &n.named[i]
}

// of returns why an address is never given to a Service, or Allowed. A Service may have its own external address.
func (n *neverGiven) of(addr netip.Addr, s *lb.Service) Cause {
	if use, used := n.single[addr]; used && (use.service == nil || use.service != s || use.several) {
		return use.cause
	}
	if blocked := n.rangeOf(addr); blocked != nil {
		return blocked.Cause
	}
	return Allowed
}

// user returns the name of what uses an address that is never given to a Service.
func (n *neverGiven) user(addr netip.Addr, s *lb.Service) string {
	use, used := n.single[addr]
	switch {
	case used && use.service != nil:
		return nameFor(s, use.service.Key)
	case used:
		return use.user
	}
	if blocked := n.rangeOf(addr); blocked != nil {
		return blocked.Name
	}
	return ""
}

// prepareNeverGiven finds the addresses of pools that are never given.
func (p *pass) prepareNeverGiven() {
	p.never.single = map[netip.Addr]usedAddress{}
	inPool := func(addr netip.Addr, use usedAddress) {
		if p.world.Pools.Containing(addr) != nil {
			p.never.add(addr, use)
		}
	}
	for _, node := range p.world.Nodes {
		for _, addr := range node.AllAddresses() {
			inPool(addr, usedAddress{cause: NodeOwned, user: node.Name})
		}
	}
	subnets := map[netip.Prefix]bool{}
	for _, network := range p.world.NodeNetworks {
		for _, prefix := range network.Addresses {
			inPool(prefix.Addr(), usedAddress{cause: NodeOwned, user: network.Node})
			subnets[prefix.Masked()] = true
		}
		for _, gateway := range network.Gateways {
			inPool(gateway, usedAddress{cause: GatewayOwned, user: network.Node})
		}
	}
	for _, router := range p.world.PeerAddresses {
		inPool(router.Addr, usedAddress{cause: RouterOwned, user: router.Peer})
	}
	// order does not matter: the first user by name counts.
	for subnet := range subnets {
		for _, addr := range lb.NetworkAddresses(subnet) {
			if pool := p.world.Pools.Containing(addr); pool != nil && !pool.AllowNetworkAddresses {
				p.never.add(addr, usedAddress{cause: NetworkAddress, user: subnet.String()})
			}
		}
	}
	p.prepareExternal()
	p.prepareRanges()
}

// prepareExternal adds the addresses in spec.externalIPs of Services. A namespace can block no more addresses of a pool in this way
// than its Services may hold.
func (p *pass) prepareExternal() {
	blocked := map[*lb.Pool]map[string]int{}
	for _, s := range p.external {
		for _, addr := range s.ExternalIPs {
			pool := p.world.Pools.Containing(addr)
			if pool == nil {
				continue
			}
			p.externalUsers = append(p.externalUsers, addressUser{addr, s})
			if known, exists := p.never.single[addr]; exists {
				if known.service != nil && known.service != s {
					known.several = true
					p.never.single[addr] = known
				}
				continue
			}
			if blocked[pool] == nil {
				blocked[pool] = map[string]int{}
			}
			if n := blocked[pool][s.Key.Namespace]; pool.MaxPerNamespace == 0 || n < pool.MaxPerNamespace {
				blocked[pool][s.Key.Namespace]++
				p.never.single[addr] = usedAddress{cause: ExternalIP, service: s}
			}
		}
	}
}

// prepareRanges adds the ranges of the cluster and those that are special, as far as pools contain them.
func (p *pass) prepareRanges() {
	all := lb.Merge(slices.Concat(p.world.Pools.Shares()...))
	var blocked []lb.Range
	add := func(named lb.NamedRange, cause Cause) {
		for _, common := range lb.Intersect([]lb.Range{named.Range}, all) {
			blocked = append(blocked, common)
			p.never.named = append(p.never.named, BlockedRange{common, cause, named.Name})
		}
	}
	for _, special := range lb.SpecialRanges {
		add(special, SpecialRange)
	}
	for _, r := range p.world.ServiceCIDRs {
		add(r, ClusterRange)
	}
	for _, node := range p.world.Nodes {
		for _, r := range node.PodCIDRs {
			add(lb.NamedRange{Range: r, Name: "the pod range of node " + node.Name}, ClusterRange)
		}
	}
	for _, network := range p.world.NodeNetworks {
		for _, r := range network.More {
			add(lb.NamedRange{Range: r, Name: network.Node}, NodeOwned)
		}
	}
	slices.SortFunc(p.never.named, func(a, b BlockedRange) int {
		return cmp.Or(a.Range.From.Compare(b.Range.From), cmp.Compare(a.Cause, b.Cause), strings.Compare(a.Name, b.Name))
	})
	p.never.ranges = lb.Merge(blocked)
}

// blockNeverGiven keeps the single addresses that are never given from the search for free addresses.
func (p *pass) blockNeverGiven() {
	// order does not matter: an address is blocked whatever happens to the others.
	for addr, use := range p.never.single {
		p.allocations.block(addr, use.cause)
	}
}

// usedBy returns a check whether an address is never given to a Service for a Cause.
func usedBy(cause Cause) func(*pass, check) bool {
	return func(p *pass, c check) bool { return p.never.of(c.addr, c.assignment.Service) == cause }
}

// reportNeverGiven fills in which addresses and ranges of the pools are never given.
func (p *pass) reportNeverGiven() {
	// order does not matter: the lists are sorted.
	for addr, use := range p.never.single {
		from := p.byPool[p.world.Pools.Containing(addr)].use
		switch use.cause {
		case NodeOwned, GatewayOwned:
			from.Nodes = append(from.Nodes, NodeAddress{Addr: addr, Node: use.user, Gateway: use.cause == GatewayOwned})
		case RouterOwned:
			from.Nodes = append(from.Nodes, NodeAddress{Addr: addr, Peer: use.user})
		default:
			from.Left = append(from.Left, BlockedRange{lb.Range{From: addr, To: addr}, use.cause, use.user})
		}
	}
	for _, pool := range p.pools {
		slices.SortFunc(pool.use.Left, func(a, b BlockedRange) int { return a.Range.From.Compare(b.Range.From) })
		slices.SortFunc(pool.use.Nodes, func(a, b NodeAddress) int { return a.Addr.Compare(b.Addr) })
		for _, blocked := range p.never.named {
			for _, common := range lb.Intersect([]lb.Range{blocked.Range}, pool.owned) {
				pool.use.Blocked = append(pool.use.Blocked, BlockedRange{common, blocked.Cause, blocked.Name})
			}
		}
	}
}
