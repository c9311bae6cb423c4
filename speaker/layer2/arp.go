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
	arpLength        = 28 // for IPv4 over Ethernet
)

// question is an ARP request.
type question struct {
	// to and from are the addresses of the frame.
	to, from mac
	// senderMAC and sender are who asks; the sender of a probe is 0.0.0.0 (RFC 5227 section 1.1).
	senderMAC      mac
	sender, target netip.Addr
}

// parseARP reads a frame with an ARP request for IPv4 over Ethernet; anything else is not ok.
func parseARP(frame []byte) (q question, ok bool) {
	if len(frame) < ethernetLength+arpLength || binary.BigEndian.Uint16(frame[12:]) != unix.ETH_P_ARP {
		return question{}, false
	}
	body := frame[ethernetLength:]
	if binary.BigEndian.Uint16(body) != hardwareEthernet || binary.BigEndian.Uint16(body[2:]) != unix.ETH_P_IP ||
		body[4] != 6 || body[5] != 4 || binary.BigEndian.Uint16(body[6:]) != arpRequest {
		return question{}, false
	}
	return question{
		to: mac(frame[0:6]), from: mac(frame[6:12]),
		senderMAC: mac(body[8:14]), sender: netip.AddrFrom4([4]byte(body[14:18])),
		target: netip.AddrFrom4([4]byte(body[24:28])),
	}, true
}

// answerARP returns the reply to a frame, sent to the asker alone (RFC 826), nil when there is nothing to say: the frame
// is not a request, not to us or everybody, our own, or not about a held address. A host that asks for the address it
// claims as its own makes an announcement, not a question (RFC 5227 section 3): a reply would not defend the address.
func answerARP(us mac, held set, frame []byte) []byte {
	q, ok := parseARP(frame)
	if !ok || q.to != us && q.to != broadcast || q.from == us || q.senderMAC == us || q.sender == q.target {
		return nil
	}
	if _, ours := held[q.target]; !ours || !q.senderMAC.station() {
		return nil
	}
	return arpFrame(q.senderMAC, arp.OperationReply, us, q.target, q.senderMAC, q.sender)
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
