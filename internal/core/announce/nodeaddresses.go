package announce

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// NodeAddress is where the kernel of a node has an address. Interface is empty if it is not known.
type NodeAddress struct{ Node, Interface string }

// NodePrefix is where the kernel of a node has all addresses of a prefix, by a local route.
type NodePrefix struct {
	Prefix netip.Prefix
	NodeAddress
}

func (p NodePrefix) compare(other NodePrefix) int {
	return cmp.Or(p.Prefix.Compare(other.Prefix), strings.Compare(p.Node, other.Node), strings.Compare(p.Interface, other.Interface))
}

// nodeHas returns which node's kernel has an address, if any does.
func (w *World) nodeHas(addr netip.Addr) (NodeAddress, bool) {
	if by, has := w.NodeAddresses[addr]; has {
		return by, true
	}
	i := slices.IndexFunc(w.NodePrefixes, func(p NodePrefix) bool { return p.Prefix.Contains(addr) })
	if i < 0 {
		return NodeAddress{}, false
	}
	return w.NodePrefixes[i].NodeAddress, true
}

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
	// prefixes in order.
	prefixes []NodePrefix
}

// Update takes the links that are known now, by node, forgets nodes that do not stay, and returns who has which address; of
// several the first by name, and the prefixes. The results are shared, and must not be changed.
func (n *NodeAddresses) Update(links map[string][]lb.Link, stays func(node string) bool) (map[netip.Addr]NodeAddress, []NodePrefix) {
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
		n.byIP, n.prefixes = map[netip.Addr]NodeAddress{}, nil
		// order does not matter: the first by name counts, and the prefixes are sorted.
		for node, own := range n.links {
			n.add(node, own)
		}
		slices.SortFunc(n.prefixes, NodePrefix.compare)
	}
	return n.byIP, n.prefixes
}

func (n *NodeAddresses) add(node string, links []lb.Link) {
	// order does not matter: each address has an entry of its own.
	for addr, on := range OwnAddresses(links) {
		if known, exists := n.byIP[addr]; !exists || node < known.Node {
			n.byIP[addr] = NodeAddress{node, on}
		}
	}
	for i := range links {
		for _, prefix := range ownPrefixes(&links[i]) {
			n.prefixes = append(n.prefixes, NodePrefix{prefix, NodeAddress{node, links[i].Name}})
		}
	}
}

// ownPrefixes are those of which the kernel has every address by a local route through a link. A service proxy's are no node's own.
func ownPrefixes(link *lb.Link) []netip.Prefix {
	if link.OfServiceProxy() {
		return nil
	}
	return link.Local
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

// OwnServiceAddress is an address of a Service that a node with some links has itself, on one of them.
type OwnServiceAddress struct {
	Addr      netip.Addr
	Interface string
}

// OwnServiceAddresses are the addresses of Services that a node with these links has itself, in order.
func (c *Computer) OwnServiceAddresses(links []lb.Link) (found []OwnServiceAddress) {
	if c.kept == nil {
		return nil
	}
	own := OwnAddresses(links)
	for addr, on := range own {
		if len(c.kept.at[addr]) > 0 {
			found = append(found, OwnServiceAddress{addr, on})
		}
	}
	for i := range links {
		prefixes := ownPrefixes(&links[i])
		if len(prefixes) == 0 {
			continue
		}
		for addr, services := range c.kept.at { // order does not matter: they are sorted below
			if _, known := own[addr]; !known && len(services) > 0 && slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) }) {
				own[addr] = links[i].Name
				found = append(found, OwnServiceAddress{addr, links[i].Name})
			}
		}
	}
	slices.SortFunc(found, func(a, b OwnServiceAddress) int { return a.Addr.Compare(b.Addr) })
	return found
}

// sameLinks reports whether two lists have the same names and addresses. A list that is shared costs one comparison.
func sameLinks(a, b []lb.Link) bool {
	if len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) {
		return true
	}
	return slices.EqualFunc(a, b, func(x, y lb.Link) bool {
		return x.Name == y.Name && slices.Equal(x.Addresses, y.Addresses) && slices.Equal(x.Local, y.Local)
	})
}
