package announce

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// NodeEnd is what the addresses of this node's Node object give all its sessions. A Node may lose its addresses for a moment, or have them
// in another order; that ends no session, and withdraws nothing.
type NodeEnd struct {
	// RouterID is the BGP identifier of sessions to which the BGPPeer gives none.
	RouterID netip.Addr
	// Internal are the InternalIPs, which routers that are on no link of the node are told of; invalid ones: there are none.
	Internal NextHops
}

// NodeEnd returns what it is for this world, to be the OwnEnd of the next one. Without the Node it stays as it was.
func (w *World) NodeEnd() NodeEnd {
	for _, n := range w.Nodes {
		if n.Name == w.Node {
			return w.nodeEnd(n)
		}
	}
	return w.OwnEnd
}

// nodeEnd is that of a node. This one keeps the BGP identifier while any session is established: another one would end them all (RFC 4271
// has it in the OPEN alone). An InternalIP that its Node does not have any more stays while the kernel has the address.
func (w *World) nodeEnd(n *lb.Node) NodeEnd {
	var end, before NodeEnd
	if n.Name == w.Node {
		before = w.OwnEnd
	}
	end.RouterID = routerID(n)
	if before.RouterID.IsValid() && w.anyRunning() {
		end.RouterID = before.RouterID
	}
	end.Internal = NextHops{IPv4: w.internal(n, lb.IPv4, before.Internal.IPv4), IPv6: w.internal(n, lb.IPv6, before.Internal.IPv6)}
	return end
}

// anyRunning reports whether a BGP session of this node is established.
func (w *World) anyRunning() bool {
	for _, running := range w.Running {
		if running {
			return true
		}
	}
	return false
}

// internal is a node's InternalIP of a family, or else the one that it had.
func (w *World) internal(n *lb.Node, family lb.Family, before netip.Addr) netip.Addr {
	if addr, ok := n.Address(family); ok {
		return addr
	}
	for i := range w.OwnLinks {
		link := &w.OwnLinks[i]
		if !link.OfServiceProxy() && slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return p.Addr() == before }) {
			return before
		}
	}
	return netip.Addr{}
}

// nodeEnd is that of a node, for its sessions.
func (r *rules) nodeEnd(n *lb.Node) NodeEnd { return r.world.nodeEnd(n) }

// routerID is the node's IPv4 address, or a number made from the node's name. A BGP identifier need only differ between nodes and stay the
// same over restarts (RFC 6286).
func routerID(n *lb.Node) netip.Addr {
	if addr, ok := n.Address(lb.IPv4); ok {
		return addr
	}
	hash := fnv.New32a()
	hash.Write([]byte(n.Name))
	var id [4]byte
	binary.BigEndian.PutUint32(id[:], hash.Sum32())
	id[0] = 1 + id[0]%126 // A unicast address: routers that only know RFC 4271 may insist on it.
	return netip.AddrFrom4(id)
}
