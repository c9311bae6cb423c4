package unnumbered

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// errLookUp means that an interface could not be looked up. It says nothing about the interface: unknown is not gone.
var errLookUp = errors.New("look up the interface")

// netInterface is what a raSocket is bound to. A change of any field needs another raSocket, even if the name is the
// same.
type netInterface struct {
	name  string
	index int
	// mac address; nil on links other than Ethernet.
	mac net.HardwareAddr
	// addresses are the usable link-local addresses, at least one and without zone. The first one is our source
	// address.
	addresses []netip.Addr
}

func (s *netInterface) equal(other *netInterface) bool {
	return s.name == other.name && s.index == other.index && bytes.Equal(s.mac, other.mac) &&
		slices.Equal(s.addresses, other.addresses)
}

// lookUp finds an interface by its exact name, and checks that a router can be looked for on it now. Its errors say
// what is wrong; errLookUp is one of them if that is not known.
func lookUp(name string) (*netInterface, error) {
	link, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	switch {
	case errors.As(err, &missing):
		return nil, errors.New("there is no such interface")
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errLookUp, err)
	}
	attrs := link.Attrs()
	switch {
	case attrs.Name != name: // The kernel finds alternative names too, which the rest of Daymark does not know.
		return nil, fmt.Errorf("there is no such interface, but %s has it as alternative name", attrs.Name)
	case attrs.Flags&net.FlagUp == 0:
		return nil, errors.New("the interface is down")
	case attrs.RawFlags&unix.IFF_LOWER_UP == 0:
		return nil, errors.New("the interface has no carrier")
	}
	addresses, err := linkLocal(link)
	if err != nil {
		return nil, err
	}
	s := &netInterface{name: name, index: attrs.Index, addresses: addresses}
	if attrs.EncapType == "ether" && len(attrs.HardwareAddr) == 6 {
		s.mac = attrs.HardwareAddr
	}
	return s, nil
}

// linkLocal returns the usable link-local addresses of an interface, in the kernel's order.
func linkLocal(link netlink.Link) ([]netip.Addr, error) {
	if err := ipv6Enabled(link.Attrs().Name); err != nil {
		return nil, err
	}
	all, err := netlink.AddrList(link, netlink.FAMILY_V6)
	if err != nil {
		return nil, fmt.Errorf("%w: list its addresses: %w", errLookUp, err)
	}
	var usable []netip.Addr
	none := errors.New("the interface has no IPv6 link-local address")
	for _, a := range all {
		addr, ok := netip.AddrFromSlice(a.IP)
		switch {
		case !ok || !addr.IsLinkLocalUnicast():
		case a.Flags&unix.IFA_F_DADFAILED != 0:
			none = fmt.Errorf("another host has the interface's IPv6 link-local address %v too", addr)
		case a.Flags&unix.IFA_F_TENTATIVE != 0:
			none = fmt.Errorf("the interface's IPv6 link-local address %v is still being checked for duplicates", addr)
		default:
			usable = append(usable, addr)
		}
	}
	if usable == nil {
		return nil, none
	}
	return usable, nil
}

// ipv6Enabled returns an error if an existing interface cannot have IPv6 addresses at all.
func ipv6Enabled(name string) error {
	const all = "/proc/sys/net/ipv6/conf"
	value, err := os.ReadFile(filepath.Join(all, name, "disable_ipv6"))
	if err == nil && string(bytes.TrimSpace(value)) != "0" {
		return fmt.Errorf("IPv6 is disabled on the interface (sysctl net.ipv6.conf.%s.disable_ipv6)", name)
	}
	if _, err := os.Stat(all); errors.Is(err, os.ErrNotExist) {
		return errors.New("this node's kernel has no IPv6")
	}
	return nil // Assume that it works if the sysctl cannot be read.
}
