package fault

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

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// ForeignHost is a host on the segment that is neither node nor client, and that may have addresses which are not its own.
type ForeignHost struct {
	*segment.Host
	t check.T
}

// NewForeignHost returns that host with methods for tests.
func NewForeignHost(t check.T, host *segment.Host) ForeignHost { return ForeignHost{host, t} }

// Take gives it an address, which its kernel answers for from then on, and announces it, as a host does that has just
// been configured. The test's end takes the address back.
func (h ForeignHost) Take(address netip.Addr) {
	h.t.Helper()
	h.t.Cleanup(func() { check.Must(h.t, "take back "+address.String(), h.remove(address)) })
	check.Must(h.t, "give the foreign host "+address.String(), errors.Join(h.Address("eth0", segment.Single(address)), h.claim(address)))
}

// Claim announces the address once more, whether the host has it or not.
func (h ForeignHost) Claim(address netip.Addr) {
	h.t.Helper()
	check.Must(h.t, "claim "+address.String(), h.claim(address))
}

// Leave takes the address from it.
func (h ForeignHost) Leave(address netip.Addr) {
	h.t.Helper()
	check.Must(h.t, "take back "+address.String(), h.remove(address))
}

func (h ForeignHost) remove(address netip.Addr) error {
	_, err := h.Run(context.Background(), "", "ip", "addr", "flush", "dev", "eth0", "to", segment.Single(address).String())
	return err
}

// claim sends a gratuitous ARP request or an unsolicited neighbor advertisement.
func (h ForeignHost) claim(address netip.Addr) error {
	return h.Do(func() error {
		link, err := net.InterfaceByName("eth0")
		if err != nil {
			return fmt.Errorf("find eth0 of %s: %w", h.Name, err)
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
	frame, err := probe.ARPRequest(link.HardwareAddr, address, address)
	if err != nil {
		return err
	}
	if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: ethernet.Broadcast}); err != nil {
		return fmt.Errorf("send a gratuitous ARP request: %w", err)
	}
	return nil
}

func claimByNDP(link *net.Interface, address netip.Addr) error {
	conn, err := probe.ListenNDP(link)
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
