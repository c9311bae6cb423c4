package testnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Wire makes a veth pair between two namespaces and sets both ends up. A nil MAC leaves the choice to the kernel.
func Wire(a *Namespace, aName string, b *Namespace, bName string, mac net.HardwareAddr) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.HardwareAddr = aName, mac
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: bName, PeerNamespace: netlink.NsFd(int(b.handle))}
	if err := a.netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("wire %s of %s to %s of %s: %w", aName, a.Name, bName, b.Name, err)
	}
	return errors.Join(a.Up(aName), b.Up(bName))
}

// Link finds a link by its name.
func (n *Namespace) Link(name string) (netlink.Link, error) {
	link, err := n.netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find %s of %s: %w", name, n.Name, err)
	}
	return link, nil
}

// Up sets a link administratively up.
func (n *Namespace) Up(name string) error {
	link, err := n.Link(name)
	if err != nil {
		return err
	}
	if err := n.netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s of %s up: %w", name, n.Name, err)
	}
	return nil
}

// RemoveLink deletes a link, and with one end of a veth pair the other. A link that does not exist is no error.
func (n *Namespace) RemoveLink(name string) error {
	link, err := n.netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err == nil {
		err = n.netlink.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("remove %s of %s: %w", name, n.Name, err)
	}
	return nil
}

// Carrier is nil when a link has a carrier and can send.
func (n *Namespace) Carrier(name string) error {
	link, err := n.Link(name)
	if err == nil && link.Attrs().RawFlags&unix.IFF_RUNNING == 0 {
		err = fmt.Errorf("link %s is %v", name, link.Attrs().OperState)
	}
	return err
}

// Address adds addresses to a link, usable at once: without duplicate address detection.
func (n *Namespace) Address(link string, prefixes ...netip.Prefix) error {
	l, err := n.Link(link)
	if err != nil {
		return err
	}
	for _, p := range prefixes {
		address := &netlink.Addr{IPNet: IPNet(p)}
		if p.Addr().Is6() {
			address.Flags = unix.IFA_F_NODAD
		}
		if err := n.netlink.AddrAdd(l, address); err != nil {
			return fmt.Errorf("add %s to %s of %s: %w", p, link, n.Name, err)
		}
	}
	return nil
}

// Route sets a route; an invalid gateway means that the destination is on the link. With the flag onlink the gateway may be
// one that no address of the link covers.
func (n *Namespace) Route(to netip.Prefix, gateway netip.Addr, link string, flags ...netlink.NextHopFlag) error {
	l, err := n.Link(link)
	if err != nil {
		return err
	}
	r := &netlink.Route{Dst: IPNet(to), LinkIndex: l.Attrs().Index}
	for _, flag := range flags {
		r.Flags |= int(flag)
	}
	if gateway.IsValid() {
		r.Gw = gateway.AsSlice()
	}
	if err := n.netlink.RouteReplace(r); err != nil {
		return fmt.Errorf("route %s in %s: %w", to, n.Name, err)
	}
	return nil
}

// IPNet is the prefix as netlink wants it.
func IPNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
