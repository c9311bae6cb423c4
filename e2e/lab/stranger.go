package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// Stranger is a host on the segment that is neither node nor client, and that may have addresses which are not for it to
// have.
type Stranger struct {
	*Host
	c *Cluster
}

// Stranger is that host. It is there from the first time on that it is asked for.
func (c *Cluster) Stranger() Stranger {
	c.t.Helper()
	if c.stranger == nil {
		host, err := c.join("stranger", onSegmentOf(StrangerV4))
		c.must("make a stranger", err)
		c.stranger = host
	}
	return Stranger{c.stranger, c}
}

// Take gives it an address, which its kernel answers for from then on, and tells the segment so, as a host does that has
// just been configured. The test's end takes the address back.
func (s Stranger) Take(address netip.Addr) {
	s.c.t.Helper()
	s.c.t.Cleanup(func() { s.c.must("take back "+address.String(), s.remove(address)) })
	s.c.must("give the stranger "+address.String(), errors.Join(s.addresses("eth0", single(address)), s.claim(address)))
}

// Claim tells the segment once more that it has the address, whether that is so or not.
func (s Stranger) Claim(address netip.Addr) {
	s.c.t.Helper()
	s.c.must("claim "+address.String(), s.claim(address))
}

// Leave takes the address from it.
func (s Stranger) Leave(address netip.Addr) {
	s.c.t.Helper()
	s.c.must("take back "+address.String(), s.remove(address))
}

func (s Stranger) remove(address netip.Addr) error {
	_, err := s.Run(context.Background(), "", "ip", "addr", "flush", "dev", "eth0", "to", single(address).String())
	return err
}

// claim sends a gratuitous ARP request or an unsolicited neighbor advertisement.
func (s Stranger) claim(address netip.Addr) error {
	return s.Do(func() error {
		link, err := net.InterfaceByName("eth0")
		if err != nil {
			return fmt.Errorf("find eth0 of %s: %w", s.Name, err)
		}
		if address.Is6() {
			return claimByNDP(link, address)
		}
		return claimByARP(link, address)
	})
}

func claimByARP(link *net.Interface, address netip.Addr) error {
	conn, err := packet.Listen(link, packet.Raw, unix.ETH_P_ARP, nil)
	if err != nil {
		return fmt.Errorf("open a socket for ARP: %w", err)
	}
	defer func() { _ = conn.Close() }()
	frame, err := arpRequest(link.HardwareAddr, address, address)
	if err != nil {
		return err
	}
	if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: ethernet.Broadcast}); err != nil {
		return fmt.Errorf("send a gratuitous ARP request: %w", err)
	}
	return nil
}

func claimByNDP(link *net.Interface, address netip.Addr) error {
	conn, err := listenNDP(link)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	advertisement := &ndp.NeighborAdvertisement{
		Override: true, TargetAddress: address,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: link.HardwareAddr}},
	}
	if err := conn.WriteTo(advertisement, nil, netip.IPv6LinkLocalAllNodes()); err != nil {
		return fmt.Errorf("send an unsolicited advertisement: %w", err)
	}
	return nil
}
