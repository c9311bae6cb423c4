package lab

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Link is a network interface of a node in the hands of a test. What is done to it, the test's end undoes.
type Link struct {
	node Node
	name string // as the lab made it
	is   string // as it is named now
	port string // its other end, on the fabric

	routes []netlink.Route // that the kernel dropped with the link
}

// Link is the interface of that name, eth0 or, once there is a second segment, eth1.
func (n Node) Link(name string) *Link {
	port := n.Name
	if name != "eth0" {
		port = secondPort(n.Host)
	}
	return &Link{node: n, name: name, is: name, port: port}
}

// Down sets the interface down inside the node, as `ip link set down` does.
func (l *Link) Down() {
	l.node.c.t.Helper()
	l.node.c.t.Cleanup(l.Up)
	l.must("set down", l.down())
}

// Up sets it up again, with the routes that it had when this same Link was set down.
func (l *Link) Up() {
	l.node.c.t.Helper()
	l.must("set up", l.up())
}

// Unplug takes its cable out: it stays up and loses its carrier.
func (l *Link) Unplug() {
	l.node.c.t.Helper()
	l.node.c.t.Cleanup(l.Plug)
	l.must("unplug", l.node.c.fabric.carrier(l.port, false))
}

// Plug puts the cable in again.
func (l *Link) Plug() {
	l.node.c.t.Helper()
	l.must("plug in", l.node.c.fabric.carrier(l.port, true))
}

// Rename gives it another name. It is down for a moment, since not every kernel renames one that is up.
func (l *Link) Rename(name string) {
	l.node.c.t.Helper()
	l.node.c.t.Cleanup(func() { l.must("rename", l.rename(l.name)) })
	l.must("rename", l.rename(name))
}

func (l *Link) rename(name string) error {
	if name == l.is {
		return nil
	}
	link, err := l.find()
	if err == nil {
		err = l.down()
	}
	if err == nil {
		err = l.node.net.LinkSetName(link, name)
	}
	if err != nil {
		return err
	}
	l.is = name
	return l.up()
}

func (l *Link) find() (netlink.Link, error) {
	link, err := l.node.net.LinkByName(l.is)
	if err != nil {
		return nil, fmt.Errorf("find %s of %s: %w", l.is, l.node.Name, err)
	}
	return link, nil
}

// down remembers the routes first: the kernel forgets them, all but those that it made itself.
func (l *Link) down() error {
	link, err := l.find()
	if err != nil {
		return err
	}
	l.routes = nil
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		all, err := l.node.net.RouteList(link, family)
		if err != nil {
			return fmt.Errorf("list the routes of %s: %w", l.is, err)
		}
		for _, r := range all {
			if r.Protocol != unix.RTPROT_KERNEL && r.Protocol != unix.RTPROT_RA {
				l.routes = append(l.routes, r)
			}
		}
	}
	return l.node.net.LinkSetDown(link)
}

func (l *Link) up() error {
	link, err := l.find()
	if err != nil {
		return err
	}
	errs := []error{l.node.net.LinkSetUp(link)}
	for _, r := range l.routes {
		r.Flags &= int(netlink.FLAG_ONLINK) // the others are for the kernel to tell
		errs = append(errs, l.node.net.RouteReplace(&r))
	}
	l.routes = nil
	return errors.Join(errs...)
}

func (l *Link) must(what string, err error) {
	l.node.c.t.Helper()
	l.node.c.must(fmt.Sprintf("%s %s of %s", what, l.is, l.node.Name), err)
}

// SecondPool are addresses of the second segment for layer 2.
const SecondPool = "198.51.100.110-198.51.100.119"

// SecondSegment lays another Ethernet segment, IPv4 only, between all nodes and the client, by an eth1 of each, until the
// test ends. An interface that fails there takes nothing from the node but that segment: it still reaches the API server
// and the other nodes.
func (c *Cluster) SecondSegment() {
	c.t.Helper()
	hosts := []*Host{c.client}
	for _, n := range c.nodes {
		hosts = append(hosts, n.Host)
	}
	c.t.Cleanup(func() { c.must("remove the second segment", c.removeSecondSegment(hosts)) })
	bridge, err := c.fabric.bridge("second")
	c.must("lay a second segment", err)
	for _, h := range hosts {
		at := onSecondSegment(h.V4)
		err := wire(h, "eth1", c.fabric.host, secondPort(h), macFor(at.Addr()))
		if err == nil {
			err = c.fabric.attach(secondPort(h), bridge)
		}
		if err == nil {
			err = h.addresses("eth1", at)
		}
		c.must("lay a second segment", err)
		h.secondMAC = macFor(at.Addr())
	}
}

func (c *Cluster) removeSecondSegment(hosts []*Host) error {
	var errs []error
	for _, h := range hosts {
		h.secondMAC = nil
		errs = append(errs, c.fabric.removeLink(secondPort(h)))
	}
	return errors.Join(append(errs, c.fabric.removeLink("second"))...)
}

func secondPort(h *Host) string { return h.Name + "-2" }

// onSecondSegment is the address there of a host of the first segment; they end alike.
func onSecondSegment(v4 netip.Addr) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, 64 + v4.As4()[3]%64}), 26)
}
