package layer2

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// mac is an Ethernet address as a value.
type mac [6]byte

var (
	broadcast = mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	// allNodes is where ff02::1 is sent to (RFC 2464 section 7).
	allNodes = mac{0x33, 0x33, 0, 0, 0, 1}
)

// station tells the address of one host from groups and from nothing.
func (m mac) station() bool { return m[0]&1 == 0 && m != mac{} }

func (m mac) String() string { return m.slice().String() }

// slice is the address in the form that codecs take.
func (m mac) slice() net.HardwareAddr { return m[:] }

// nic is what a socket is bound to. Another index or another MAC address is another nic, even under the same name.
type nic struct {
	index int
	mac   mac
}

// found is the outcome of looking for an interface.
type found struct {
	nic nic
	err error
}

// lookUp finds an interface that can carry frames now. Its errors say in words what is wrong with it.
func lookUp(name string) found {
	link, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	switch {
	case errors.As(err, &missing):
		return found{err: errors.New("there is no such interface")}
	case err != nil:
		return found{err: fmt.Errorf("look up the interface: %w", err)}
	}
	attrs := link.Attrs()
	switch {
	case attrs.Flags&net.FlagUp == 0:
		return found{err: errors.New("the interface is down")}
	case attrs.RawFlags&unix.IFF_LOWER_UP == 0 || attrs.RawFlags&unix.IFF_RUNNING == 0:
		// A carrier that came a moment ago is not yet running: until then the kernel drops what is sent without a word, and
		// the first announcement with it. It tells by netlink when it is.
		return found{err: errors.New("the interface has no carrier")}
	case attrs.EncapType != "ether" || len(attrs.HardwareAddr) != len(mac{}):
		return found{err: errors.New("the interface is not of the Ethernet kind")}
	}
	return found{nic: nic{index: attrs.Index, mac: mac(attrs.HardwareAddr)}}
}
