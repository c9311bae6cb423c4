package announce

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// LostFor is how long an address still counts as a kernel's after the last kernel lost it, or the last node with it left the cluster or is
// down. A virtual IP that keepalived or kube-vip moves between nodes is on none for a moment: keepalived takes 1 to 15 s, as its
// advertisement interval says, and kube-vip the time of its lease and one try more, 17 s with a lease of 15 s. If a
// speaker announced it meanwhile there would be two hosts with it.
const LostFor = 30 * time.Second

// NodeAddress is where the kernel of a node has an address. Interface is empty if it is not known. Lost: the kernel has it no more, and it
// still counts.
type NodeAddress struct {
	Node, Interface string
	Lost            bool
}

// NodePrefix is where the kernel of a node has all addresses of a prefix, by a local route.
type NodePrefix struct {
	Prefix netip.Prefix
	NodeAddress
}

// nodeHas returns which node's kernel has an address, if any does.
func (w *World) nodeHas(addr netip.Addr) (NodeAddress, bool) {
	owned := ownedByNodes{w.NodeAddresses, w.NodePrefixes}
	return owned.by(addr)
}

// message of the condition: what is wrong and what to do.
func (n NodeAddress) message(addr netip.Addr) string {
	switch {
	case n.Lost:
		return fmt.Sprintf("%s was an address of node %s itself until a moment ago; it is announced %d s after no node has it any more, since a virtual IP "+
			"that moves between nodes is on none for a moment: if it is one, take it out of the pool", addr, n.Node, int(LostFor.Seconds()))
	case n.Interface == "":
		return fmt.Sprintf("%s is one of so many addresses of Services that node %s has itself that its Speaker object has no room for more than their ranges, "+
			"in status.network.moreServiceAddresses; no node announces them: take them from its interfaces, or out of the pool", addr, n.Node)
	default:
		return fmt.Sprintf("%s is an address of node %s itself, on interface %s; no node announces it: take it from the interface, or out of the pool",
			addr, n.Node, n.Interface)
	}
}

// NodeAddresses remembers what the kernels of the nodes have: two hosts would answer for an address that is announced as
// well. The links of a node whose speaker is away count until the node is, too, and what no kernel has any more counts for LostFor.
type NodeAddresses struct {
	links map[string][]lb.Link
	// has is what kernels have, and lost what they had. A single address is a prefix of its own.
	has  map[netip.Prefix]NodeAddress
	lost map[netip.Prefix]lostAddress
	// told is what other speakers say was lost: this one may have been started since.
	told map[netip.Prefix]NodeAddress
	// byIP and prefixes, in order, are all of these.
	byIP     map[netip.Addr]NodeAddress
	prefixes []NodePrefix
}

// lostAddress is where an address was, and until when it counts.
type lostAddress struct {
	NodeAddress
	until time.Time
}

// KnownAddresses are what the nodes are known to have.
type KnownAddresses struct {
	// Links of the nodes, by node.
	Links map[string][]lb.Link
	// Told are the addresses that speakers which are alive say some kernel has lost, by the node of the speaker.
	Told map[string][]netip.Addr
	// Stays reports whether a node is in the cluster and runs.
	Stays func(node string) bool
}

// Update takes what is known now, forgets nodes that do not stay, and returns who has which address; of
// several the first by name, and the prefixes. The results are shared, and must not be changed. wait is when to look again though nothing
// has happened; 0: no need.
func (n *NodeAddresses) Update(now time.Time, known KnownAddresses) (_ map[netip.Addr]NodeAddress, _ []NodePrefix, wait time.Duration) {
	changed := n.updateLinks(known)
	if changed {
		n.note(now)
	}
	// order does not matter: each stands for itself
	for prefix, lost := range n.lost {
		if left := lost.until.Sub(now); left > 0 {
			wait = election.Sooner(wait, left)
		} else {
			delete(n.lost, prefix)
			changed = true
		}
	}
	if told := toldAddresses(known.Told); !maps.Equal(told, n.told) {
		n.told, changed = told, true
	}
	if changed {
		n.list()
	}
	return n.byIP, n.prefixes, wait
}

// updateLinks keeps the links of the nodes, and reports whether what they have has changed.
func (n *NodeAddresses) updateLinks(known KnownAddresses) (changed bool) {
	if n.links == nil {
		changed = true
		n.links, n.lost = map[string][]lb.Link{}, map[netip.Prefix]lostAddress{}
	}
	for node := range n.links {
		if !known.Stays(node) {
			delete(n.links, node)
			changed = true
		}
	}
	for node, now := range known.Links {
		if before, exists := n.links[node]; known.Stays(node) && (!exists || !sameLinks(before, now)) {
			n.links[node] = now
			changed = true
		}
	}
	return changed
}

// note works out what kernels have, and notes what they have lost.
func (n *NodeAddresses) note(now time.Time) {
	had := n.has
	n.has = map[netip.Prefix]NodeAddress{}
	// order does not matter: the first by name counts.
	for node, own := range n.links {
		n.add(node, own)
	}
	for prefix, by := range had {
		if _, has := n.has[prefix]; !has {
			by.Lost = true
			n.lost[prefix] = lostAddress{by, now.Add(LostFor)}
		}
	}
	for prefix := range n.has {
		delete(n.lost, prefix)
	}
}

func (n *NodeAddresses) add(node string, links []lb.Link) {
	add := func(prefix netip.Prefix, on string) {
		if known, exists := n.has[prefix]; !exists || node < known.Node || node == known.Node && on < known.Interface {
			n.has[prefix] = NodeAddress{Node: node, Interface: on}
		}
	}
	// order does not matter: each address has an entry of its own.
	for addr, on := range OwnAddresses(links) {
		add(netip.PrefixFrom(addr, addr.BitLen()), on)
	}
	for i := range links {
		for _, prefix := range ownPrefixes(&links[i]) {
			add(prefix, links[i].Name)
		}
	}
}

// toldAddresses are the addresses that some speakers tell of.
func toldAddresses(by map[string][]netip.Addr) map[netip.Prefix]NodeAddress {
	told := map[netip.Prefix]NodeAddress{}
	// order does not matter: the first by name counts.
	for node, addresses := range by {
		for _, addr := range addresses {
			prefix := netip.PrefixFrom(addr, addr.BitLen())
			if known, exists := told[prefix]; !exists || node < known.Node {
				told[prefix] = NodeAddress{Node: node, Lost: true}
			}
		}
	}
	return told
}

// list makes the results: what kernels have comes before what they had, and that before what others tell.
func (n *NodeAddresses) list() {
	n.byIP, n.prefixes = make(map[netip.Addr]NodeAddress, len(n.has)), nil
	add := func(prefix netip.Prefix, by NodeAddress) {
		if !prefix.IsSingleIP() {
			n.prefixes = append(n.prefixes, NodePrefix{prefix, by})
		} else if _, exists := n.byIP[prefix.Addr()]; !exists {
			n.byIP[prefix.Addr()] = by
		}
	}
	// order does not matter: each prefix is once in a map, and the list of them is sorted.
	for prefix, by := range n.has {
		add(prefix, by)
	}
	// order does not matter: likewise.
	for prefix, lost := range n.lost {
		add(prefix, lost.NodeAddress)
	}
	// order does not matter: likewise.
	for prefix, by := range n.told {
		add(prefix, by)
	}
	slices.SortFunc(n.prefixes, func(a, b NodePrefix) int { return a.Prefix.Compare(b.Prefix) })
}

// AnyLost reports whether kernels have lost addresses that still count.
func (n *NodeAddresses) AnyLost() bool { return len(n.lost) > 0 }

// LostBy are the addresses that a node's kernel has lost and that still count, as the links that it had; those of all nodes, if the node is "".
func (n *NodeAddresses) LostBy(node string) []lb.Link {
	links := map[string]*lb.Link{}
	// order does not matter: the addresses are sorted, and so are the links
	for prefix, lost := range n.lost {
		if node != "" && lost.Node != node {
			continue
		}
		link := links[lost.Interface]
		if link == nil {
			link = &lb.Link{Name: lost.Interface}
			links[lost.Interface] = link
		}
		if prefix.IsSingleIP() {
			link.Addresses = append(link.Addresses, prefix)
		} else {
			link.Local = append(link.Local, prefix)
		}
	}
	list := make([]lb.Link, 0, len(links))
	for _, name := range slices.Sorted(maps.Keys(links)) {
		slices.SortFunc(links[name].Addresses, netip.Prefix.Compare)
		slices.SortFunc(links[name].Local, netip.Prefix.Compare)
		list = append(list, *links[name])
	}
	return list
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
		if c.kept.at.has(addr) {
			found = append(found, OwnServiceAddress{addr, on})
		}
	}
	for i := range links {
		prefixes := ownPrefixes(&links[i])
		if len(prefixes) == 0 {
			continue
		}
		for j := range c.kept.at {
			addr := c.kept.at[j].addr()
			if _, known := own[addr]; !known && slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) }) {
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
