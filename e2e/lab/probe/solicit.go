package probe

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// solicitor is a socket that asks a segment who has addresses of one family, and receives the answers.
type solicitor interface {
	// ask sends one question, to everybody.
	ask(address netip.Addr) error
	// next waits for the next frame. One that is no answer has no MAC.
	next() (address netip.Addr, mac net.HardwareAddr, err error)
	SetReadDeadline(time.Time) error
	Close() error
}

// linkFamily is a link of the client and a family: what one solicitor serves.
type linkFamily struct {
	link int
	v6   bool
}

// solicitors opens a socket for each segment that the addresses are on.
func (c Client) solicitors(addresses []netip.Addr) (opened map[linkFamily]solicitor, on map[netip.Addr]linkFamily, err error) {
	opened, on = map[linkFamily]solicitor{}, map[netip.Addr]linkFamily{}
	for _, address := range addresses {
		routes, err := c.Netlink().RouteGet(address.AsSlice())
		if err != nil || len(routes) == 0 {
			return opened, nil, fmt.Errorf("find the segment of %s: %w", address, err)
		}
		s := linkFamily{routes[0].LinkIndex, address.Is6()}
		on[address] = s
		if opened[s] != nil {
			continue
		}
		from, _ := netip.AddrFromSlice(routes[0].Src)
		q, err := c.solicitor(s, from.Unmap())
		if err != nil {
			return opened, nil, err
		}
		opened[s] = q
	}
	return opened, on, nil
}

// solicitor opens a socket on one segment; it asks from an address of ours.
func (c Client) solicitor(s linkFamily, from netip.Addr) (q solicitor, err error) {
	err = c.Do(func() error {
		link, err := net.InterfaceByIndex(s.link)
		if err != nil {
			return fmt.Errorf("find link %d of %s: %w", s.link, c.Name, err)
		}
		if !s.v6 {
			q, err = listenARP(link, from)
			return err
		}
		conn, err := ListenNDP(link)
		q = &ndpSolicitor{conn, link.HardwareAddr}
		return err
	})
	return q, err
}

// arpSolicitor asks by ARP.
type arpSolicitor struct {
	*packet.Conn
	mac    net.HardwareAddr
	from   netip.Addr
	buffer [2048]byte
}

func listenARP(link *net.Interface, from netip.Addr) (solicitor, error) {
	conn, err := packet.Listen(link, packet.Raw, int(ethernet.EtherTypeARP), nil)
	if err != nil {
		return nil, fmt.Errorf("listen for ARP: %w", err)
	}
	return &arpSolicitor{Conn: conn, mac: link.HardwareAddr, from: from}, nil
}

func (q *arpSolicitor) ask(address netip.Addr) error {
	frame, err := ARPRequest(q.mac, q.from, address)
	if err != nil {
		return err
	}
	if _, err := q.WriteTo(frame, &packet.Addr{HardwareAddr: ethernet.Broadcast}); err != nil {
		return fmt.Errorf("send an ARP request: %w", err)
	}
	return nil
}

func (q *arpSolicitor) next() (netip.Addr, net.HardwareAddr, error) {
	n, _, err := q.ReadFrom(q.buffer[:])
	if err != nil {
		return netip.Addr{}, nil, err
	}
	if reply, ok := arpReply(q.buffer[:n]); ok && reply.TargetIP == q.from {
		return reply.SenderIP, reply.SenderHardwareAddr, nil
	}
	return netip.Addr{}, nil, nil
}

func arpReply(b []byte) (reply arp.Packet, ok bool) {
	var frame ethernet.Frame
	ok = frame.UnmarshalBinary(b) == nil && reply.UnmarshalBinary(frame.Payload) == nil && reply.Operation == arp.OperationReply
	return reply, ok
}

// ARPRequest is a frame that asks everybody for an address. Sent from that very address it tells them who has it: a
// gratuitous request.
func ARPRequest(mac net.HardwareAddr, from, address netip.Addr) ([]byte, error) {
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

// ndpSolicitor asks by neighbor discovery.
type ndpSolicitor struct {
	*ndp.Conn
	mac net.HardwareAddr
}

// ListenNDP opens a socket for neighbor discovery. It waits a moment for the link-local address of a link that has just come
// up. It names the link by its number: Go resolves the name in a zone in whatever namespace the writing thread is in, and
// caches the result for all namespaces, while eth0 has not the same number in all of them.
func ListenNDP(link *net.Interface) (*ndp.Conn, error) {
	numbered := *link
	numbered.Name = strconv.Itoa(link.Index)
	var conn *ndp.Conn
	_, err := testnet.Eventually(5*time.Second, func() (err error) {
		conn, _, err = ndp.Listen(&numbered, ndp.LinkLocal)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen for neighbor discovery: %w", err)
	}
	return conn, nil
}

func (q *ndpSolicitor) ask(address netip.Addr) error {
	group, err := ndp.SolicitedNodeMulticast(address)
	if err != nil {
		return fmt.Errorf("solicit %s: %w", address, err)
	}
	solicitation := &ndp.NeighborSolicitation{
		TargetAddress: address,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: q.mac}},
	}
	if err := q.WriteTo(solicitation, nil, group); err != nil {
		return fmt.Errorf("solicit %s: %w", address, err)
	}
	return nil
}

func (q *ndpSolicitor) next() (netip.Addr, net.HardwareAddr, error) {
	message, _, _, err := q.ReadFrom()
	if err != nil {
		return netip.Addr{}, nil, err
	}
	advertisement, ok := message.(*ndp.NeighborAdvertisement)
	if !ok {
		return netip.Addr{}, nil, nil
	}
	for _, option := range advertisement.Options {
		if lla, ok := option.(*ndp.LinkLayerAddress); ok && lla.Direction == ndp.Target {
			return advertisement.TargetAddress, lla.Addr, nil
		}
	}
	return netip.Addr{}, nil, nil
}

// receive calls each with every answer until that is enough or the deadline has passed.
func receive(q solicitor, each func(netip.Addr, net.HardwareAddr) (enough bool)) error {
	for {
		address, mac, err := q.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("listen: %w", err)
		case mac != nil && each(address, mac):
			return nil
		}
	}
}
