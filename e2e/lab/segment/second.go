package segment

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// SecondPool are addresses of the second segment for layer 2.
const SecondPool = "198.51.100.110-198.51.100.119"

// LaySecond lays another Ethernet segment, IPv4 only, between hosts of the first, by an eth1 of each.
func (s *Segment) LaySecond(hosts ...*Host) error {
	bridge, err := s.bridge("second")
	if err != nil {
		return err
	}
	for _, h := range hosts {
		at := onSecondSegment(h.V4)
		err := testnet.Wire(h.Namespace, "eth1", s.fabric.Namespace, SecondPort(h), macFor(at.Addr()))
		if err == nil {
			err = s.attach(SecondPort(h), bridge)
		}
		if err == nil {
			err = h.Address("eth1", at)
		}
		if err != nil {
			return err
		}
		h.secondMAC = macFor(at.Addr())
	}
	return nil
}

// CutSecond cuts the switch of the second segment: it separates the eth1 of the named hosts, together, from all others
// there. No link goes down. Without hosts it mends it.
func (s *Segment) CutSecond(hosts ...*Host) error {
	whole, err := s.fabric.Link("second")
	if err != nil {
		return err
	}
	island, err := s.fabric.Link("second2")
	if err != nil {
		if len(hosts) == 0 {
			return nil // It was never cut.
		}
		if island, err = s.bridge("second2"); err != nil {
			return err
		}
	}
	ports, err := s.fabric.Netlink().LinkList()
	if err != nil {
		return fmt.Errorf("list the ports of the second segment: %w", err)
	}
	cut := map[string]bool{}
	for _, h := range hosts {
		cut[SecondPort(h)] = true
	}
	var errs []error
	for _, port := range ports {
		switch name, master := port.Attrs().Name, port.Attrs().MasterIndex; {
		case master == whole.Attrs().Index && cut[name]:
			errs = append(errs, s.attach(name, island))
		case master == island.Attrs().Index && !cut[name]:
			errs = append(errs, s.attach(name, whole))
		}
	}
	return errors.Join(errs...)
}

// RemoveSecond removes the second segment from these hosts.
func (s *Segment) RemoveSecond(hosts ...*Host) error {
	var errs []error
	if _, err := s.fabric.Link("second2"); err == nil {
		errs = append(errs, s.fabric.RemoveLink("second2"))
	}
	for _, h := range hosts {
		h.secondMAC = nil
		errs = append(errs, s.fabric.RemoveLink(SecondPort(h)))
	}
	return errors.Join(append(errs, s.fabric.RemoveLink("second"))...)
}

// PlugAgain plugs an eth1 of a host into the segment that its eth0 is on, with other addresses of its subnets. Owner
// calls the host at that interface by the name of its port.
func (s *Segment) PlugAgain(h *Host, v4 netip.Addr) error {
	if err := testnet.Wire(h.Namespace, "eth1", s.fabric.Namespace, SecondPort(h), macFor(v4)); err != nil {
		return err
	}
	if err := s.attach(SecondPort(h), s.switches[0]); err != nil {
		return err
	}
	at4, at6 := onSegment(v4)
	h.secondMAC, h.sameSegment = macFor(v4), true
	return h.Address("eth1", at4, at6)
}

// UnplugAgain undoes PlugAgain.
func (s *Segment) UnplugAgain(h *Host) error {
	h.secondMAC, h.sameSegment = nil, false
	return s.fabric.RemoveLink(SecondPort(h))
}

// SecondPort is the port of a host's eth1.
func SecondPort(h *Host) string { return h.Name + "-2" }

// onSecondSegment is the address there of a host of the first segment; they end alike.
func onSecondSegment(v4 netip.Addr) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, 64 + v4.As4()[3]%64}), 26)
}
