package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
)

// listenFor is how long WhoHas waits for every answer. Answers take well under a millisecond here; a busy machine may
// take longer, and the one that is late is the one that must not be missed.
const listenFor = 300 * time.Millisecond

// WhoHas asks the segment for the address, by ARP or neighbor discovery, and names all hosts that answer, each once, sorted.
// More than one is a fault that an ordinary client does not see.
func (c Client) WhoHas(address netip.Addr) []string {
	c.c.t.Helper()
	return c.ask(address, false)
}

// Holder is the host that answers first when asked for the address, "" when none does.
func (c Client) Holder(address netip.Addr) string {
	c.c.t.Helper()
	if answers := c.ask(address, true); len(answers) > 0 {
		return answers[0]
	}
	return ""
}

func (c Client) ask(address netip.Addr, once bool) (names []string) {
	c.c.t.Helper()
	var answers []net.HardwareAddr
	hear := func(mac net.HardwareAddr) (enough bool) {
		answers = append(answers, mac)
		return once
	}
	err := c.Do(func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return fmt.Errorf("find eth0: %w", err)
		}
		if address.Is4() {
			return askARP(eth0, c.V4, address, hear)
		}
		return askNDP(eth0, address, hear)
	})
	c.c.must("ask who has "+address.String(), err)
	for _, mac := range answers {
		names = append(names, c.c.Owner(mac))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// askARP broadcasts one request and hears replies for the address until that is enough or the time is over.
func askARP(link *net.Interface, from, address netip.Addr, hear func(net.HardwareAddr) bool) error {
	conn, err := packet.Listen(link, packet.Raw, int(ethernet.EtherTypeARP), nil)
	if err != nil {
		return fmt.Errorf("listen for ARP: %w", err)
	}
	defer func() { _ = conn.Close() }()
	frame, err := arpRequest(link.HardwareAddr, from, address)
	if err != nil {
		return err
	}
	if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: ethernet.Broadcast}); err != nil {
		return fmt.Errorf("send an ARP request: %w", err)
	}
	return listen(conn, func(b []byte) bool {
		var frame ethernet.Frame
		var reply arp.Packet
		if frame.UnmarshalBinary(b) != nil || reply.UnmarshalBinary(frame.Payload) != nil {
			return false
		}
		ours := reply.Operation == arp.OperationReply && reply.SenderIP == address && reply.TargetIP == from
		return ours && hear(reply.SenderHardwareAddr)
	})
}

func arpRequest(mac net.HardwareAddr, from, address netip.Addr) ([]byte, error) {
	request, err := arp.NewPacket(arp.OperationRequest, mac, from, ethernet.Broadcast, address)
	if err != nil {
		return nil, fmt.Errorf("make an ARP request: %w", err)
	}
	payload, err := request.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("make an ARP request: %w", err)
	}
	frame := ethernet.Frame{Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: payload}
	return frame.MarshalBinary()
}

// listen hands on what arrives until that is enough or the time to listen is over.
func listen(conn *packet.Conn, each func([]byte) bool) error {
	if err := conn.SetReadDeadline(time.Now().Add(listenFor)); err != nil {
		return fmt.Errorf("limit the time to listen: %w", err)
	}
	for buffer := make([]byte, 2048); ; {
		n, _, err := conn.ReadFrom(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("listen: %w", err)
		}
		if each(buffer[:n]) {
			return nil
		}
	}
}

// askNDP multicasts one solicitation and hears advertisements for the address likewise.
func askNDP(link *net.Interface, address netip.Addr, hear func(net.HardwareAddr) bool) error {
	conn, _, err := ndp.Listen(link, ndp.LinkLocal)
	if err != nil {
		return fmt.Errorf("listen for neighbor discovery: %w", err)
	}
	defer func() { _ = conn.Close() }()
	group, err := ndp.SolicitedNodeMulticast(address)
	if err != nil {
		return fmt.Errorf("solicit %s: %w", address, err)
	}
	solicitation := &ndp.NeighborSolicitation{
		TargetAddress: address,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: link.HardwareAddr}},
	}
	if err := conn.WriteTo(solicitation, nil, group); err != nil {
		return fmt.Errorf("solicit %s: %w", address, err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(listenFor)); err != nil {
		return fmt.Errorf("limit the time to listen: %w", err)
	}
	for {
		message, _, _, err := conn.ReadFrom()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("listen: %w", err)
		}
		if mac := advertised(message, address); mac != nil && hear(mac) {
			return nil
		}
	}
}

func advertised(message ndp.Message, address netip.Addr) net.HardwareAddr {
	advertisement, ok := message.(*ndp.NeighborAdvertisement)
	if !ok || advertisement.TargetAddress != address {
		return nil
	}
	for _, option := range advertisement.Options {
		if lla, ok := option.(*ndp.LinkLayerAddress); ok && lla.Direction == ndp.Target {
			return lla.Addr
		}
	}
	return nil
}

// Resolved is the name of the host that the client's kernel believes to have the address, "" if it does not know.
func (c Client) Resolved(address netip.Addr) string {
	c.c.t.Helper()
	family := netlink.FAMILY_V4
	if address.Is6() {
		family = netlink.FAMILY_V6
	}
	neighbors, err := c.net.NeighList(0, family)
	c.c.must("read the neighbor table", err)
	for _, n := range neighbors {
		if a, ok := netip.AddrFromSlice(n.IP); ok && a.Unmap() == address && len(n.HardwareAddr) > 0 {
			return c.c.Owner(n.HardwareAddr)
		}
	}
	return ""
}
