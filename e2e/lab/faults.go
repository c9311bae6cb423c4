package lab

import (
	"errors"
	"slices"

	"github.com/daymark-lb/daymark/e2e/lab/fault"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// StopAPIServer stops the API server, as when the control plane fails; etcd keeps what there is.
func (c *Cluster) StopAPIServer() {
	c.t.Helper()
	c.must("stop the API server", c.plane.APIServer.Kill())
}

// StartAPIServer starts it again, unless it runs, and waits until it serves. kube-controller-manager and kube-proxy are
// started anew: left alone they would look for it only after up to a minute, and what is tested is Daymark.
func (c *Cluster) StartAPIServer() {
	c.t.Helper()
	if c.plane.APIServer.Running() {
		return
	}
	c.must("start the API server", c.plane.APIServer.Start())
	c.must("start the API server", c.plane.WaitReady())
	for _, n := range c.nodes {
		if n.Proxy.Running() {
			c.must("start again", errors.Join(n.Proxy.Stop(), n.Proxy.Start()))
		}
	}
	c.must("start again", c.plane.StartControllerManager())
}

// Partition separates the named nodes, together, from everybody else. The test's end heals it.
func (c *Cluster) Partition(nodes ...string) { c.t.Helper(); fault.Partition(c.t, c.network, nodes...) }

// Heal ends a partition.
func (c *Cluster) Heal() { c.t.Helper(); fault.Heal(c.t, c.network) }

// SecondSegment adds a second Ethernet segment, IPv4 only; all nodes and both clients get an eth1 there, until the test
// ends. An interface that fails there takes nothing from the node but that segment: it still reaches the API server and the
// other nodes.
func (c *Cluster) SecondSegment() {
	c.t.Helper()
	hosts := append([]*segment.Host{c.client, c.farClient}, c.nodeHosts()...)
	c.t.Cleanup(func() { c.must("remove the second segment", c.network.RemoveSecond(hosts...)) })
	c.must("lay a second segment", c.network.LaySecond(hosts...))
}

// CutSecondSegment cuts the switch of the second segment: the named nodes and the far client are apart from the others
// there, and all links stay up. The first segment is whole. MendSecondSegment ends it.
func (c *Cluster) CutSecondSegment(nodes ...string) {
	c.t.Helper()
	hosts := []*segment.Host{c.farClient}
	for _, h := range c.nodeHosts() {
		if slices.Contains(nodes, h.Name) {
			hosts = append(hosts, h)
		}
	}
	c.must("cut the second segment", c.network.CutSecond(hosts...))
}

// MendSecondSegment mends the switch of the second segment.
func (c *Cluster) MendSecondSegment() {
	c.t.Helper()
	c.must("mend the second segment", c.network.CutSecond())
}

// ForeignHost is a host on the segment that is neither node nor client. It is there from the first time on that it is asked
// for.
func (c *Cluster) ForeignHost() ForeignHost {
	c.t.Helper()
	if c.foreign == nil {
		host, err := c.network.Join("foreign", ForeignV4)
		c.must("make a foreign host", err)
		c.foreign = host
	}
	return fault.NewForeignHost(c.t, c.foreign)
}
