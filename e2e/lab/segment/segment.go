// Package segment is the network that the lab's hosts are on: an Ethernet segment of Linux bridges, the router's link to the
// client behind it, and the plan of all addresses. It refuses to know
// what a host does, and no packet leaves its namespaces.
package segment

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// Segment is an Ethernet segment: a switch that hosts are plugged into, and a second, empty one for partitions. Both are
// bridges in a namespace of their own, where each host has a port of its name.
type Segment struct {
	fabric   *Host
	current  *Host // that this process itself is on, nil if it is not connected
	switches [2]netlink.Link
	ports    []string // of the hosts on the segment

	mu    sync.Mutex // of hosts
	hosts []*Host
}

// New lays a segment with nobody on it.
func New() (*Segment, error) {
	fabric, err := NewHost("fabric")
	if err != nil {
		return nil, err
	}
	s := &Segment{fabric: fabric}
	for i, name := range []string{"switch", "island"} {
		if s.switches[i], err = s.bridge(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// bridge makes a switch that nobody is plugged into.
func (s *Segment) bridge(name string) (netlink.Link, error) {
	snooping := false // it would keep neighbor discovery from hosts that never reported membership
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}, MulticastSnooping: &snooping}
	if err := errors.Join(s.fabric.Netlink().LinkAdd(bridge), s.fabric.Netlink().LinkSetUp(bridge)); err != nil {
		return nil, fmt.Errorf("make the switch %s: %w", name, err)
	}
	return bridge, nil
}

// Join makes a host on the segment, with that IPv4 address and the IPv6 address that ends alike. Its default gateway is the
// router.
func (s *Segment) Join(name string, v4 netip.Addr) (*Host, error) {
	h, err := NewHost(name)
	if err != nil {
		return nil, err
	}
	err = s.connect(h, v4)
	s.add(h) // only now, when it will not change any more: others look at the hosts meanwhile
	return h, err
}

// JoinCurrent is Join for the host that this process itself is on.
func (s *Segment) JoinCurrent(name string, v4 netip.Addr) (*Host, error) {
	h, err := currentHost(name)
	if err != nil {
		return nil, err
	}
	s.current = h
	return h, s.connect(h, v4)
}

func (s *Segment) add(h *Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = append(slices.Clip(s.hosts), h)
}

func (s *Segment) connect(h *Host, address netip.Addr) error {
	v4, v6 := onSegment(address)
	if err := s.plug(h, v4, v6); err != nil {
		return err
	}
	if address == RouterV4 {
		return nil
	}
	gateway4, gateway6 := onSegment(RouterV4)
	return errors.Join(
		h.Route(EverywhereV4, gateway4.Addr(), "eth0"),
		h.Route(EverywhereV6, gateway6.Addr(), "eth0"),
	)
}

// plug connects a host to the segment by its eth0, with an address of each family.
func (s *Segment) plug(h *Host, v4, v6 netip.Prefix) error {
	if err := testnet.Wire(h.Namespace, "eth0", s.fabric.Namespace, h.Name, macFor(v4.Addr())); err != nil {
		return err
	}
	if err := s.attach(h.Name, s.switches[0]); err != nil {
		return err
	}
	s.ports = append(s.ports, h.Name)
	h.V4, h.V6, h.MAC = v4.Addr(), v6.Addr(), macFor(v4.Addr())
	return h.Address("eth0", v4, v6)
}

// attach plugs a port into a switch.
func (s *Segment) attach(port string, into netlink.Link) error {
	link, err := s.fabric.Link(port)
	if err != nil {
		return err
	}
	if err := errors.Join(s.fabric.Netlink().LinkSetMaster(link, into), s.fabric.Netlink().LinkSetUp(link)); err != nil {
		return fmt.Errorf("plug %s into %s: %w", port, into.Attrs().Name, err)
	}
	return nil
}

// LayFarSide puts the far client behind the router.
func (s *Segment) LayFarSide(router *Host) (*Host, error) {
	far, err := NewHost("far")
	if err != nil {
		return nil, err
	}
	s.add(far)
	routerEnd, farEnd := farLink()
	far.V4, far.V6 = farEnd[0].Addr(), farEnd[1].Addr()
	return far, errors.Join(
		testnet.Wire(far.Namespace, "eth0", router.Namespace, "eth1", macFor(FarClientV4)),
		router.Address("eth1", routerEnd[:]...),
		far.Address("eth0", farEnd[:]...),
		far.Route(EverywhereV4, routerEnd[0].Addr(), "eth0"),
		far.Route(EverywhereV6, routerEnd[1].Addr(), "eth0"),
	)
}

// SetCarrier turns a port on or off: off is as if its cable were unplugged. The first port of a host has the host's name.
func (s *Segment) SetCarrier(port string, on bool) error {
	link, err := s.fabric.Link(port)
	if err != nil {
		return err
	}
	set := s.fabric.Netlink().LinkSetDown
	if on {
		set = s.fabric.Netlink().LinkSetUp
	}
	if err := set(link); err != nil {
		return fmt.Errorf("switch the port %s: %w", port, err)
	}
	return nil
}

// Partition separates the named hosts, together, from everybody else. Partition() heals.
func (s *Segment) Partition(island ...string) error {
	for _, name := range s.ports {
		side := s.switches[0]
		if slices.Contains(island, name) {
			side = s.switches[1]
		}
		port, err := s.fabric.Link(name)
		if err != nil {
			return err
		}
		if port.Attrs().MasterIndex == side.Attrs().Index {
			continue
		}
		if err := s.fabric.Netlink().LinkSetMaster(port, side); err != nil {
			return fmt.Errorf("move %s to %s: %w", name, side.Attrs().Name, err)
		}
	}
	return nil
}

// Owner is the name of the host that has the MAC, or the MAC itself when no host does.
func (s *Segment) Owner(mac net.HardwareAddr) string {
	s.mu.Lock()
	hosts := s.hosts
	s.mu.Unlock()
	for _, h := range hosts {
		second := len(mac) > 0 && bytes.Equal(h.secondMAC, mac)
		switch {
		case second && h.sameSegment:
			return SecondPort(h)
		case second || bytes.Equal(h.MAC, mac):
			return h.Name
		}
	}
	return mac.String()
}

// Remove removes the segment and all hosts that it made.
func (s *Segment) Remove() error {
	var errs []error
	if s.current != nil {
		errs = append(errs, s.current.Close())
	}
	for _, h := range slices.Backward(s.hosts) {
		errs = append(errs, h.Remove())
	}
	return errors.Join(append(errs, s.fabric.Remove())...)
}

// macFor makes the MAC say whose it is: 02:00 and the host's IPv4 address.
func macFor(a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return net.HardwareAddr{2, 0, b[0], b[1], b[2], b[3]}
}
