package test

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// neighbor is a host of a segment of this machine.
type neighbor struct {
	addr netip.Addr
	// mac is empty while the host does not answer.
	mac string
}

// neighbors that the kernel knows; an error on systems other than Linux. Reading them needs no right.
func neighbors() (list []neighbor, err error) {
	const anyInterface, anyFamily = 0, 0
	all, err := netlink.NeighList(anyInterface, anyFamily)
	if err != nil {
		return nil, fmt.Errorf("list the neighbours: %w", err)
	}
	for i := range all {
		if addr, ok := netip.AddrFromSlice(all[i].IP); ok {
			list = append(list, neighbor{addr.Unmap(), all[i].HardwareAddr.String()})
		}
	}
	return list, nil
}

// whoAnswers for an address by ARP or NDP, in words that follow what came of a connection, for which the kernel has just asked. Where this
// machine is not in the network of the address, it asks a router instead.
func (t *trial) whoAnswers(a netip.Addr) string {
	protocol := "ARP"
	if a.Is6() {
		protocol = "NDP"
	}
	if t.segmentOf(a) == "" {
		return "; by " + protocol + " it is not asked from here, since this machine is not in its network"
	}
	list, err := t.neighbors()
	if err != nil {
		return "; who answers by " + protocol + " is not known here: " + err.Error()
	}
	mac := ""
	for _, n := range list {
		if n.addr == a && n.mac != "" {
			mac = n.mac
		}
	}
	if mac == "" {
		return "; nobody answered by " + protocol
	}
	text := "; " + mac + " answered by " + protocol
	for _, n := range list {
		if n.mac == mac && n.addr != a && t.cluster != nil {
			if node := t.cluster.NodeWith(n.addr); node != "" {
				return text + ", which is node " + node
			}
		}
	}
	return text
}
