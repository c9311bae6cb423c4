package layer2

import (
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ndp"
)

// Times from each update of a client to the next. An IPv4 client is told in two forms, the second one at once: Linux heeds a plain
// reply only a second after the last change of the entry, and other systems heed nothing but a reply to their own address.
var (
	updateIntervals4      = []time.Duration{0, time.Second}
	updateIntervals6      = []time.Duration{time.Second}
	introductionIntervals = []time.Duration{time.Second}
)

func updateIntervals(addr netip.Addr) []time.Duration {
	if addr.Is4() {
		return updateIntervals4
	}
	return updateIntervals6
}

// clientUpdate is a sender that tells one client where a shared address is. It tells nothing when the client is not ours any more.
type clientUpdate struct {
	*socket

	addr netip.Addr
	of   neighbor
}

// via implements update.
func (u clientUpdate) via() sender { return u.socket }

// announce implements sender.
func (u clientUpdate) announce(addr netip.Addr, n int, _ bool) {
	if v := (*u.addresses.Load())[addr]; v == nil || !v.held.Load() || v.shared() == nil || !v.serves(u.of.addr) {
		return
	}
	forms := u.protocol.update(u.nic.mac, addr, u.of)
	if frame := forms[n%len(forms)]; frame != nil && u.send(frame, asUpdate) {
		u.metrics.updates.Inc()
	}
}

// introduction is a sender that has another node told of a client, as if the client had asked that node for the address. So the node
// remembers the client, and answers it if the client is its own.
type introduction struct {
	*socket

	addr netip.Addr
	of   neighbor
	to   mac
}

// via implements update.
func (i introduction) via() sender { return i.socket }

// announce implements sender.
func (i introduction) announce(addr netip.Addr, _ int, _ bool) {
	if frame := i.protocol.introduce(i.nic.mac, addr, i.of, i.to); frame != nil && i.holds(addr) && i.send(frame, asIntroduction) {
		i.metrics.introductions.Inc()
	}
}

// inform announces a held address to one host.
func (s *socket) inform(addr netip.Addr, to mac) {
	if frame := s.protocol.inform(s.nic.mac, addr, to); frame != nil && s.send(frame, asAnnouncement) {
		s.metrics.gratuitous.Inc()
	}
}

// updateARP returns the forms of the packet that tells a client: a reply to it, and an announcement to it alone.
func updateARP(us mac, addr netip.Addr, of neighbor) [][]byte {
	return [][]byte{
		arpFrame(of.mac, arp.OperationReply, us, addr, of.mac, of.addr),
		informARP(us, addr, of.mac),
	}
}

// informARP returns the ARP announcement as a unicast frame.
func informARP(us mac, addr netip.Addr, to mac) []byte {
	return arpFrame(to, arp.OperationRequest, us, addr, mac{}, addr)
}

// introduceARP returns a client's request for an address, sent to a node.
func introduceARP(us mac, addr netip.Addr, of neighbor, to mac) []byte {
	frame := arpFrame(to, arp.OperationRequest, of.mac, of.addr, mac{}, addr)
	if frame != nil {
		copy(frame[6:12], us[:])
	}
	return frame
}

// updateNDP returns an unsolicited advertisement to a client (RFC 4861 section 7.2.6), which must not have the solicited flag.
func updateNDP(us mac, addr netip.Addr, of neighbor) [][]byte {
	return [][]byte{ndpFrame(of.mac, us, addr, of.addr, advertisementOf(us, addr, false))}
}

// informNDP returns the unsolicited advertisement to all nodes in a frame to one.
func informNDP(us mac, addr netip.Addr, to mac) []byte {
	return ndpFrame(to, us, addr, netip.IPv6LinkLocalAllNodes(), advertisementOf(us, addr, false))
}

// introduceNDP returns a client's unicast solicitation for an address, sent to a node.
func introduceNDP(us mac, addr netip.Addr, of neighbor, to mac) []byte {
	return ndpFrame(to, us, of.addr, addr, &ndp.NeighborSolicitation{
		TargetAddress: addr, Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: of.mac.slice()}},
	})
}

// parseMAC parses a unicast MAC address of Ethernet.
func parseMAC(text string) (mac, bool) {
	addr, err := net.ParseMAC(text)
	if err != nil || len(addr) != len(mac{}) {
		return mac{}, false
	}
	return mac(addr), mac(addr).unicast()
}
