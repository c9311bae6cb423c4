package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// fabric is the Ethernet segment: a switch that hosts are plugged into, and a second, empty one for partitions.
type fabric struct {
	host     *Host
	switches [2]netlink.Link
	plugged  []string
}

func newFabric() (*fabric, error) {
	host, err := newHost("fabric")
	if err != nil {
		return nil, err
	}
	f := &fabric{host: host}
	for i, name := range []string{"switch", "island"} {
		if f.switches[i], err = f.bridge(name); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// bridge makes a switch that nobody is plugged into.
func (f *fabric) bridge(name string) (netlink.Link, error) {
	snooping := false // it would keep neighbor discovery from hosts that never reported membership
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}, MulticastSnooping: &snooping}
	if err := errors.Join(f.host.net.LinkAdd(bridge), f.host.net.LinkSetUp(bridge)); err != nil {
		return nil, fmt.Errorf("make the switch %s: %w", name, err)
	}
	return bridge, nil
}

// plug connects a host to the segment by its eth0, with an address of each family.
func (f *fabric) plug(h *Host, v4, v6 netip.Prefix) error {
	if err := wire(h, "eth0", f.host, h.Name, macFor(v4.Addr())); err != nil {
		return err
	}
	if err := f.attach(h.Name, f.switches[0]); err != nil {
		return err
	}
	f.plugged = append(f.plugged, h.Name)
	h.V4, h.V6, h.MAC = v4.Addr(), v6.Addr(), macFor(v4.Addr())
	return h.addresses("eth0", v4, v6)
}

// attach plugs a port into a switch.
func (f *fabric) attach(port string, into netlink.Link) error {
	link, err := f.host.net.LinkByName(port)
	if err != nil {
		return fmt.Errorf("find the port %s: %w", port, err)
	}
	if err := errors.Join(f.host.net.LinkSetMaster(link, into), f.host.net.LinkSetUp(link)); err != nil {
		return fmt.Errorf("plug %s into %s: %w", port, into.Attrs().Name, err)
	}
	return nil
}

// removeLink takes a port, with the cable at it, or a switch away. One that is gone already stays so.
func (f *fabric) removeLink(name string) error {
	link, err := f.host.net.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err == nil {
		err = f.host.net.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// carrier turns a port on or off: off is how a node crashes. The first port of a host has the host's name.
func (f *fabric) carrier(name string, on bool) error {
	port, err := f.host.net.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find the port %s: %w", name, err)
	}
	set := f.host.net.LinkSetDown
	if on {
		set = f.host.net.LinkSetUp
	}
	if err := set(port); err != nil {
		return fmt.Errorf("switch the port %s: %w", name, err)
	}
	return nil
}

// split puts the named hosts onto the island and everybody else onto the switch; split() heals.
func (f *fabric) split(island ...string) error {
	for _, name := range f.plugged {
		side := f.switches[0]
		if slices.Contains(island, name) {
			side = f.switches[1]
		}
		port, err := f.host.net.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find the port of %s: %w", name, err)
		}
		if port.Attrs().MasterIndex == side.Attrs().Index {
			continue
		}
		if err := f.host.net.LinkSetMaster(port, side); err != nil {
			return fmt.Errorf("move %s to %s: %w", name, side.Attrs().Name, err)
		}
	}
	return nil
}

// wire makes a cable between two hosts and brings up both ends.
func wire(a *Host, aName string, b *Host, bName string, mac net.HardwareAddr) error {
	cable := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: aName, HardwareAddr: mac},
		PeerName:  bName, PeerNamespace: netlink.NsFd(int(b.ns)),
	}
	if err := a.net.LinkAdd(cable); err != nil {
		return fmt.Errorf("wire %s to %s: %w", a.Name, b.Name, err)
	}
	for _, end := range []struct {
		host *Host
		name string
	}{{a, aName}, {b, bName}} {
		link, err := end.host.net.LinkByName(end.name)
		if err == nil {
			err = end.host.net.LinkSetUp(link)
		}
		if err != nil {
			return fmt.Errorf("bring up %s of %s: %w", end.name, end.host.Name, err)
		}
	}
	return nil
}

func (h *Host) addresses(link string, prefixes ...netip.Prefix) error {
	l, err := h.net.LinkByName(link)
	if err != nil {
		return fmt.Errorf("find %s of %s: %w", link, h.Name, err)
	}
	for _, p := range prefixes {
		addr := &netlink.Addr{IPNet: ipNet(p)}
		if p.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := h.net.AddrAdd(l, addr); err != nil {
			return fmt.Errorf("give %s of %s the address %s: %w", link, h.Name, p, err)
		}
	}
	return nil
}

// route adds a route; onlink lets the gateway be one that no address of the link covers.
func (h *Host) route(to netip.Prefix, via netip.Addr, link string, flags int) error {
	l, err := h.net.LinkByName(link)
	if err != nil {
		return fmt.Errorf("find %s of %s: %w", link, h.Name, err)
	}
	r := &netlink.Route{Dst: ipNet(to), LinkIndex: l.Attrs().Index, Flags: flags}
	if via.IsValid() {
		r.Gw = via.AsSlice()
	}
	if err := h.net.RouteReplace(r); err != nil {
		return fmt.Errorf("route %s on %s: %w", to, h.Name, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// macFor makes the MAC tell the host: 02:00 and its IPv4 address.
func macFor(a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return net.HardwareAddr{2, 0, b[0], b[1], b[2], b[3]}
}
