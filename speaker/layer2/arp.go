package layer2

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/arp"
	"golang.org/x/sys/unix"
)

// Numbers of RFC 826.
const (
	hardwareEthernet = 1
	arpRequest       = 1
	arpReply         = 2
	arpLength        = 28 // for IPv4 over Ethernet
)

// arpPacket is an ARP request or reply with the addresses of its Ethernet frame.
type arpPacket struct {
	// to and from are the destination and the source of the frame.
	to, from mac
	reply    bool
	// senderMAC and sender are the packet's sender hardware and protocol address. The sender of a probe is 0.0.0.0 (RFC
	// 5227 section 1.1).
	senderMAC      mac
	sender, target netip.Addr
}

// parseARP parses a frame with an ARP request or reply for IPv4 over Ethernet; ok is false for anything else.
func parseARP(frame []byte) (p arpPacket, ok bool) {
	if len(frame) < ethernetLength+arpLength || binary.BigEndian.Uint16(frame[12:]) != unix.ETH_P_ARP {
		return arpPacket{}, false
	}
	body := frame[ethernetLength:]
	operation := binary.BigEndian.Uint16(body[6:])
	if binary.BigEndian.Uint16(body) != hardwareEthernet || binary.BigEndian.Uint16(body[2:]) != unix.ETH_P_IP ||
		body[4] != 6 || body[5] != 4 || operation != arpRequest && operation != arpReply {
		return arpPacket{}, false
	}
	return arpPacket{
		to: mac(frame[0:6]), from: mac(frame[6:12]), reply: operation == arpReply,
		senderMAC: mac(body[8:14]), sender: netip.AddrFrom4([4]byte(body[14:18])),
		target: netip.AddrFrom4([4]byte(body[24:28])),
	}, true
}

// handleARP handles a frame that is addressed to us or to everybody and is not our own. A request for a held address is
// answered, to its sender alone (RFC 826). A request or a reply shows that its sender uses its sender address (RFC 5227
// section 2.4). A request for its own sender address is an announcement (RFC 5227 section 3); it gets no reply, because
// a reply would not defend the address.
func handleARP(us mac, known addressSet, frame []byte) (o outcome) {
	p, ok := parseARP(frame)
	if !ok || p.to != us && p.to != broadcast || p.from == us || p.senderMAC == us {
		return outcome{}
	}
	probe := p.sender.IsUnspecified()
	if o.request = !p.reply && p.sender != p.target; o.request {
		v := known[p.target]
		if v != nil && v.held.Load() && p.senderMAC.unicast() {
			o.reply = arpFrame(p.senderMAC, arp.OperationReply, us, p.target, p.senderMAC, p.sender)
			o.by = requesterOf(v, requester{addr: p.target, client: p.sender, mac: p.senderMAC, from: p.from, toUs: p.to == us})
		}
		if v != nil && probe && (p.to == broadcast || !v.held.Load()) {
			o.use = addressUse{addr: p.target, by: userMAC(p.senderMAC, p.from), held: v.held.Load(), probe: true}
		}
	}
	if !probe {
		if v := known[p.sender]; v != nil {
			o.use = addressUse{
				addr: p.sender, by: userMAC(p.senderMAC, p.from), held: v.held.Load(), announced: p.to == broadcast && p.sender == p.target,
			}
		}
	}
	return o
}

// gratuitousARP returns the two forms of a gratuitous ARP, both broadcast. Hosts differ in which of them they accept.
// The request is the ARP announcement of RFC 5227 section 2.3, with a target hardware address of zero. The reply, with
// our MAC address as target hardware address, is the older form of RFC 5944 section 4.6.
func gratuitousARP(us mac, addr netip.Addr) [][]byte {
	return [][]byte{
		arpFrame(broadcast, arp.OperationRequest, us, addr, mac{}, addr),
		arpFrame(broadcast, arp.OperationReply, us, addr, us, addr),
	}
}

// probeARP returns the ARP probe of RFC 5227 section 2.1.1. It has no sender address, so that it changes no ARP cache.
func probeARP(us mac, addr netip.Addr) []byte {
	return arpFrame(broadcast, arp.OperationRequest, us, netip.IPv4Unspecified(), mac{}, addr)
}

// questionARP returns the probe as a unicast frame. Switches that answer for hosts that they know answer broadcasts.
func questionARP(us mac, addr netip.Addr, to mac, _ netip.Addr) []byte {
	return arpFrame(to, arp.OperationRequest, us, netip.IPv4Unspecified(), mac{}, addr)
}

// arpFrame returns an Ethernet frame with an ARP packet from us; nil if an address is not IPv4.
func arpFrame(to mac, op arp.Operation, us mac, sender netip.Addr, targetMAC mac, target netip.Addr) []byte {
	packet, err := arp.NewPacket(op, us.slice(), sender, targetMAC.slice(), target)
	if err != nil {
		return nil
	}
	body, err := packet.MarshalBinary()
	if err != nil {
		return nil
	}
	return append(ethernetHeader(to, us, unix.ETH_P_ARP, len(body)), body...)
}
