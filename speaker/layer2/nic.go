package layer2

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// mac is a MAC address as a comparable value.
type mac [6]byte

var (
	broadcast = mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	// allNodes is the MAC address of the group ff02::1 (RFC 2464 section 7).
	allNodes = mac{0x33, 0x33, 0, 0, 0, 1}
)

// unicast reports whether the address is that of a single host: neither a group nor zero.
func (m mac) unicast() bool { return m[0]&1 == 0 && m != mac{} }

func (m mac) String() string { return m.slice().String() }

// slice returns the address in the form that codecs take.
func (m mac) slice() net.HardwareAddr { return m[:] }

// nic is the interface that a socket is bound to. Another index or another MAC address makes it another nic, even if
// the name is the same.
type nic struct {
	index int
	mac   mac
}

// nicResult is what lookUp returns.
type nicResult struct {
	nic nic
	err error
}

// lookUp finds an interface that can send and receive now. Its errors say what is wrong with the interface.
func lookUp(name string) nicResult {
	link, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	switch {
	case errors.As(err, &missing):
		return nicResult{err: errors.New("there is no such interface")}
	case err != nil:
		return nicResult{err: fmt.Errorf("look up the interface: %w", err)}
	}
	attrs := link.Attrs()
	switch {
	case attrs.Flags&net.FlagUp == 0:
		return nicResult{err: errors.New("the interface is down")}
	case attrs.RawFlags&unix.IFF_LOWER_UP == 0 || attrs.RawFlags&unix.IFF_RUNNING == 0:
		// For a moment after the carrier comes, the interface is not running yet, and the kernel silently drops what is
		// sent, the first announcement too. Netlink reports when it runs.
		return nicResult{err: errors.New("the interface has no carrier")}
	case attrs.EncapType != "ether" || len(attrs.HardwareAddr) != len(mac{}):
		return nicResult{err: errors.New("the interface is not of the Ethernet kind")}
	}
	return nicResult{nic: nic{index: attrs.Index, mac: mac(attrs.HardwareAddr)}}
}
