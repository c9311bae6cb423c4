package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/daymark-lb/daymark/e2e/lab/fault"
	"github.com/daymark-lb/daymark/e2e/lab/node"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Node is a node with methods for tests.
type Node struct {
	*nodeParts
	c *Cluster
}

// nodeParts is a node of the cluster and the speaker on it, nil before Daymark is installed.
type nodeParts struct {
	*node.Node
	speaker *testnet.Process
}

// Node is the node of that name.
func (c *Cluster) Node(name string) Node {
	c.t.Helper()
	for _, n := range c.nodes {
		if n.Name == name {
			return Node{n, c}
		}
	}
	c.t.Fatalf("there is no node %q", name)
	return Node{}
}

// Nodes are all nodes in order.
func (c *Cluster) Nodes() (all []Node) {
	for _, n := range c.nodes {
		all = append(all, Node{n, c})
	}
	return all
}

// NodeNames are the names of all nodes in order.
func (c *Cluster) NodeNames() (all []string) {
	for _, n := range c.nodes {
		all = append(all, n.Name)
	}
	return all
}

// Owner is the name of the host that has the MAC, or the MAC itself when no host of the lab does.
func (c *Cluster) Owner(mac net.HardwareAddr) string { return c.network.Owner(mac) }

// NodeAt is the node with that address on the segment, or the address itself.
func (c *Cluster) NodeAt(address netip.Addr) string {
	for _, n := range c.nodes {
		if n.V4 == address || n.V6 == address {
			return n.Name
		}
	}
	return address.String()
}

// Crash takes the node off the network at once, as a loss of power does. The test's end brings it back.
func (n Node) Crash() { n.c.t.Helper(); fault.Crash(n.c.t, n.c.network, n.Name) }

// Return plugs the node in again.
func (n Node) Return() { n.c.t.Helper(); fault.Return(n.c.t, n.c.network, n.Name) }

// Link is the interface of that name, eth0 or, once there is a second segment, eth1. What is done to it, the test's end
// undoes.
func (n Node) Link(name string) *Link { return fault.NewLink(n.c.t, n.c.network, n.Host, name) }

// Firewall has the node drop the packets of each protocol, "udp" or "tcp", from and to these ports, until RemoveFirewall or the
// test's end.
func (n Node) Firewall(ports []uint16, protocols ...string) {
	n.c.t.Helper()
	fault.Firewall(n.c.t, n.Host, ports, protocols...)
}

// FirewallIncoming has the node drop the packets of a protocol that arrive for this port, and no others, until RemoveFirewall or the
// test's end.
func (n Node) FirewallIncoming(port uint16, protocol string) {
	n.c.t.Helper()
	fault.FirewallIncoming(n.c.t, n.Host, port, protocol)
}

// FirewallRejecting has the node treat what comes for this port and what it sends there by these verdicts of nftables, until RemoveFirewall
// or the test's end.
func (n Node) FirewallRejecting(port uint16, tcp, udp string) {
	n.c.t.Helper()
	fault.FirewallRejecting(n.c.t, n.Host, port, tcp, udp)
}

// RemoveFirewall has the node drop nothing any more.
func (n Node) RemoveFirewall() { n.c.t.Helper(); fault.RemoveFirewall(n.c.t, n.Host) }

// LoseIncoming has the node lose this share of all frames that arrive, of a hundred, until the test's end.
func (n Node) LoseIncoming(percent int) { n.c.t.Helper(); fault.LoseIncoming(n.c.t, n.Host, percent) }

// LoseOutgoing is LoseIncoming for the frames that it sends.
func (n Node) LoseOutgoing(percent int) { n.c.t.Helper(); fault.LoseOutgoing(n.c.t, n.Host, percent) }

// Duplicate has the node send every frame twice, until the test's end.
func (n Node) Duplicate() { n.c.t.Helper(); fault.Duplicate(n.c.t, n.Host) }

// Slow has the node send slowly and late, until the test's end.
func (n Node) Slow() { n.c.t.Helper(); fault.Slow(n.c.t, n.Host) }

// SecondInterface gives the node an eth1 on the segment that its eth0 is on, with other addresses of the subnets, until the
// test ends.
func (n Node) SecondInterface(address netip.Addr) {
	n.c.t.Helper()
	n.c.t.Cleanup(func() { n.c.must("unplug eth1", n.c.network.UnplugAgain(n.Host)) })
	n.c.must("plug eth1", n.c.network.PlugAgain(n.Host, address))
}

// Take gives the node's kernel an address on its eth0, as keepalived or kube-vip does with a virtual one, until Leave or
// the test's end.
func (n Node) Take(address netip.Addr) {
	n.c.t.Helper()
	fault.NewForeignHost(n.c.t, n.Host).Take(address)
}

// Leave takes the address from the node's kernel.
func (n Node) Leave(address netip.Addr) {
	n.c.t.Helper()
	fault.NewForeignHost(n.c.t, n.Host).Leave(address)
}

// Proxy is the node's service proxy.
func (n Node) Proxy() Daemon { return Daemon{n.Node.Proxy, n.c} }

// Serves asks for a page from the node itself: its service proxy translates that as it does what comes from outside.
func (n Node) Serves(url string) error {
	n.c.t.Helper()
	_, err := probe.Page(context.Background(), n.Namespace, url)
	return err //nolint:wrapcheck // It says what was asked.
}

// Get fetches a page from a port of the node itself, from the API server's host: the status code and the body.
func (n Node) Get(port int, path string) (int, string, error) {
	url := fmt.Sprintf("http://%s%s", netip.AddrPortFrom(n.V4, uint16(port)), path)
	return probe.Fetch(context.Background(), n.c.here.Namespace, url)
}

// Label sets labels on the Node object, `key=value` or `key-`; the test's end does not undo it.
func (n Node) Label(labels ...string) {
	n.c.t.Helper()
	n.c.Kubectl(strings.Fields("label --overwrite node " + n.Name + " " + strings.Join(labels, " "))...)
}

// names are the names of the nodes with these addresses on the segment.
func (c *Cluster) names(addresses []netip.Addr) []string {
	names := []string{}
	for _, a := range addresses {
		names = append(names, c.NodeAt(a))
	}
	return names
}
