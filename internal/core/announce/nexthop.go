package announce

import (
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// nextHopsFrom are the next hops of each family by an address of this node: those of the interface that has the address. A
// router that is connected to the one is connected to the others.
func (r *rules) nextHopsFrom(n *lb.Node) map[netip.Addr]NextHops {
	from := map[netip.Addr]NextHops{}
	for i := range r.world.OwnLinks {
		link := &r.world.OwnLinks[i]
		on := nextHopsOn(link, n)
		for _, prefix := range link.Addresses {
			if addr := prefix.Addr(); addr.IsGlobalUnicast() && !link.OfServiceProxy() {
				from[addr] = on
			}
		}
	}
	return from
}

// nextHopsOn are the next hops of each family on an interface.
func nextHopsOn(link *lb.Link, n *lb.Node) (on NextHops) {
	on.IPv4, _ = addressOn(link, lb.IPv4, n)
	on.IPv6, _ = addressOn(link, lb.IPv6, n)
	return on
}

// nextHops are those of a session whose end here says nothing. A router on the same link is told of addresses of that link alone: it
// must be connected to a next hop (RFC 4271 section 5.1.3). One that is further away, or on this node, is told of the node's
// InternalIPs, and so is one on a link of which nothing is known.
func (r *rules) nextHops(s *Session, n *lb.Node) NextHops {
	link := r.linkTo(s.Address)
	if link == nil || s.MultiHop {
		return r.nodeEnd(n).Internal
	}
	return nextHopsOn(link, n)
}

// linkTo is the interface of this node that a router is on the link of; nil when there is none, or when the router is on this node.
func (r *rules) linkTo(router netip.Addr) *lb.Link {
	if router.Zone() != "" {
		return r.ownLink(router.Zone())
	}
	var found *lb.Link
	for i := range r.world.OwnLinks {
		link := &r.world.OwnLinks[i]
		for _, prefix := range link.Addresses {
			if prefix.Addr() == router {
				return nil
			}
			if prefix.Contains(router) && !link.NoARP && (found == nil || !found.Up && link.Up) {
				found = link
			}
		}
	}
	return found
}
