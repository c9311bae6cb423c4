package announce

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// NodeAddress is where the kernel of a node has an address. Interface is empty if it is not known.
type NodeAddress struct{ Node, Interface string }

// message of the condition: what is wrong and what to do.
func (n NodeAddress) message(addr netip.Addr) string {
	if n.Interface == "" {
		return fmt.Sprintf("%s is one of so many addresses of Services that node %s has itself that its Speaker object has no room for more than their ranges, "+
			"in status.network.moreServiceAddresses; no node announces them: take them from its interfaces, or out of the pool", addr, n.Node)
	}
	return fmt.Sprintf("%s is an address of node %s itself, on interface %s; no node announces it: take it from the interface, or out of the pool",
		addr, n.Node, n.Interface)
}

// NodeAddresses remembers what the kernels of the nodes have: two hosts would answer for an address that is announced as
// well. The links of a node whose speaker is away count until the node is, too.
type NodeAddresses struct {
	links map[string][]lb.Link
	byIP  map[netip.Addr]NodeAddress
}

// Update takes the links that are known now, by node, forgets nodes that do not stay, and returns who has which address; of
// several the first by name. The result is shared, and must not be changed.
func (n *NodeAddresses) Update(links map[string][]lb.Link, stays func(node string) bool) map[netip.Addr]NodeAddress {
	changed := n.byIP == nil
	if changed {
		n.links = map[string][]lb.Link{}
	}
	for node := range n.links {
		if !stays(node) {
			delete(n.links, node)
			changed = true
		}
	}
	for node, now := range links {
		if before, known := n.links[node]; stays(node) && (!known || !sameLinks(before, now)) {
			n.links[node] = now
			changed = true
		}
	}
	if changed {
		n.byIP = map[netip.Addr]NodeAddress{}
		// order does not matter: the first by name counts.
		for node, own := range n.links {
			n.add(node, own)
		}
	}
	return n.byIP
}

func (n *NodeAddresses) add(node string, links []lb.Link) {
	// order does not matter: each address has an entry of its own.
	for addr, on := range OwnAddresses(links) {
		if known, exists := n.byIP[addr]; !exists || node < known.Node {
			n.byIP[addr] = NodeAddress{node, on}
		}
	}
}

// OwnAddresses are the addresses that the kernel with these links answers for itself, each with the first of its interfaces
// by name. An interface that is down counts: its addresses come back with it.
func OwnAddresses(links []lb.Link) map[netip.Addr]string {
	own := map[netip.Addr]string{}
	for i := range links {
		if links[i].OfServiceProxy() {
			continue
		}
		for _, prefix := range links[i].Addresses {
			addr := prefix.Addr()
			if on, exists := own[addr]; addr.IsGlobalUnicast() && (!exists || links[i].Name < on) {
				own[addr] = links[i].Name
			}
		}
	}
	return own
}

// OwnServiceAddresses are those of a node's own addresses that Services have, in order.
func (c *Computer) OwnServiceAddresses(own map[netip.Addr]string) (found []netip.Addr) {
	for addr := range own {
		if c.kept != nil && len(c.kept.at[addr]) > 0 {
			found = append(found, addr)
		}
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return found
}

// sameLinks reports whether two lists have the same names and addresses. A list that is shared costs one comparison.
func sameLinks(a, b []lb.Link) bool {
	if len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) {
		return true
	}
	return slices.EqualFunc(a, b, func(x, y lb.Link) bool { return x.Name == y.Name && slices.Equal(x.Addresses, y.Addresses) })
}
