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

// packet4 is an ARP request or reply.
type packet4 struct {
	// to and from are the addresses of the frame.
	to, from mac
	reply    bool
	// senderMAC and sender are who speaks; the sender of a probe is 0.0.0.0 (RFC 5227 section 1.1).
	senderMAC      mac
	sender, target netip.Addr
}

// parseARP reads a frame with an ARP request or reply for IPv4 over Ethernet; anything else is not ok.
func parseARP(frame []byte) (p packet4, ok bool) {
	if len(frame) < ethernetLength+arpLength || binary.BigEndian.Uint16(frame[12:]) != unix.ETH_P_ARP {
		return packet4{}, false
	}
	body := frame[ethernetLength:]
	operation := binary.BigEndian.Uint16(body[6:])
	if binary.BigEndian.Uint16(body) != hardwareEthernet || binary.BigEndian.Uint16(body[2:]) != unix.ETH_P_IP ||
		body[4] != 6 || body[5] != 4 || operation != arpRequest && operation != arpReply {
		return packet4{}, false
	}
	return packet4{
		to: mac(frame[0:6]), from: mac(frame[6:12]), reply: operation == arpReply,
		senderMAC: mac(body[8:14]), sender: netip.AddrFrom4([4]byte(body[14:18])),
		target: netip.AddrFrom4([4]byte(body[24:28])),
	}, true
}

// hearARP reads a frame to us or everybody that is not our own. A request for a held address is answered, to the asker
// alone (RFC 826). Whatever carries an address as its sender claims that address, request and reply alike (RFC 5227
// section 2.4). A host that asks for the address it claims makes an announcement, not a question (section 3), and is
// not answered: a reply would not defend the address.
func hearARP(us mac, known table, frame []byte) (h heard) {
	p, ok := parseARP(frame)
	if !ok || p.to != us && p.to != broadcast || p.from == us || p.senderMAC == us {
		return heard{}
	}
	probe := p.sender.IsUnspecified()
	if h.question = !p.reply && p.sender != p.target; h.question {
		switch v := known[p.target]; {
		case v == nil:
		case v.held.Load():
			if p.senderMAC.station() {
				h.reply = arpFrame(p.senderMAC, arp.OperationReply, us, p.target, p.senderMAC, p.sender)
			}
		case probe:
			h.claim = claim{addr: p.target, by: claimer(p.senderMAC, p.from), probe: true}
		}
	}
	if !probe {
		if v := known[p.sender]; v != nil {
			h.claim = claim{addr: p.sender, by: claimer(p.senderMAC, p.from), held: v.held.Load()}
		}
	}
	return h
}

// announceARP returns the two forms of a gratuitous ARP, both to everybody. Hosts differ in which they believe: the
// request is the announcement of RFC 5227 section 2.3, with a target MAC address of zero; the reply, whose target MAC
// address is the one to be learned, is the older form of RFC 5944 section 4.6.
func announceARP(us mac, addr netip.Addr) [][]byte {
	return [][]byte{
		arpFrame(broadcast, arp.OperationRequest, us, addr, mac{}, addr),
		arpFrame(broadcast, arp.OperationReply, us, addr, us, addr),
	}
}

// probeARP returns the probe of RFC 5227 section 2.1.1: without a sender address, so that it changes nobody's cache.
func probeARP(us mac, addr netip.Addr) []byte {
	return arpFrame(broadcast, arp.OperationRequest, us, netip.IPv4Unspecified(), mac{}, addr)
}

// arpFrame writes an ARP packet from us into an Ethernet frame; nil when an address is not IPv4.
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
