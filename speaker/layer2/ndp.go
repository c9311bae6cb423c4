package layer2

import (
	"net/netip"
	"slices"

	"github.com/mdlayher/ndp"
	"golang.org/x/sys/unix"
)

// Numbers of RFC 4861.
const (
	hopLimit          = ndp.HopLimit
	typeSolicitation  = 135
	typeAdvertisement = 136
	// targetOffset is the offset of the target address in the ICMPv6 message.
	targetOffset = 8
	// messageLength is the length of a message without options.
	messageLength = targetOffset + 16
)

// handleNDP handles a neighbor solicitation or advertisement that is not our own. The cheap look-up of its addresses
// comes before the checks of RFC 4861 section 7.1, so that the solicitations of a busy segment cost little.
func handleNDP(us mac, known addressSet, frame []byte) outcome {
	p, ok := parseIPv6(frame)
	if !ok || p.from == us || p.hopLimit != hopLimit || len(p.icmp) < messageLength || p.icmp[1] != 0 {
		return outcome{}
	}
	target := netip.AddrFrom16([16]byte(p.icmp[targetOffset:messageLength]))
	switch p.icmp[0] {
	case typeSolicitation:
		return handleSolicitation(us, known, p, target)
	case typeAdvertisement:
		return handleAdvertisement(us, known, p, target)
	default:
		return outcome{}
	}
}

// handleSolicitation answers a solicitation for a held address. One with an unspecified source is a Duplicate Address
// Detection probe (RFC 4862 section 5.4.3); any other shows that its sender uses the source address.
func handleSolicitation(us mac, known addressSet, p icmpv6Packet, target netip.Addr) outcome {
	o := outcome{request: true}
	targetVIP, sourceVIP := known[target], known[p.source]
	if targetVIP == nil && sourceVIP == nil {
		return o
	}
	replyTo, ok := validSolicitation(p, us, target)
	if !ok {
		return o
	}
	if targetVIP != nil && targetVIP.held.Load() {
		o.reply = neighborAdvertisement(us, target, replyTo, p.source)
		o.by = requesterOf(targetVIP, requester{addr: target, client: p.source, mac: replyTo, from: p.from, toUs: p.to == us})
	}
	if targetVIP != nil && p.source.IsUnspecified() {
		o.use = addressUse{addr: target, by: p.from, held: targetVIP.held.Load(), probe: true}
	}
	if sourceVIP != nil && replyTo != us {
		o.use = addressUse{addr: p.source, by: replyTo, held: sourceVIP.held.Load()}
	}
	return o
}

// handleAdvertisement handles an advertisement: its sender uses the target address.
func handleAdvertisement(us mac, known addressSet, p icmpv6Packet, target netip.Addr) outcome {
	v := known[target]
	if v == nil {
		return outcome{}
	}
	by, ok := validAdvertisement(p, us)
	if !ok || by == us {
		return outcome{}
	}
	return outcome{use: addressUse{addr: target, by: by, held: v.held.Load(), announced: p.destination.IsMulticast()}}
}

// validSolicitation makes the remaining checks of RFC 4861 section 7.1.1. It returns the MAC address that the answer
// goes to, and false if the solicitation is invalid.
func validSolicitation(p icmpv6Packet, us mac, target netip.Addr) (mac, bool) {
	group, err := ndp.SolicitedNodeMulticast(target)
	if err != nil || p.source.IsMulticast() {
		return mac{}, false
	}
	toGroup := p.destination == group && p.to == groupMAC(group)
	toUs := p.destination == target && p.to == us
	if !toGroup && !toUs || !p.checksumValid() {
		return mac{}, false
	}
	message, err := ndp.ParseMessage(p.icmp)
	solicitation, isOne := message.(*ndp.NeighborSolicitation)
	if err != nil || !isOne {
		return mac{}, false
	}
	link, given := linkLayerAddress(solicitation.Options, ndp.Source)
	switch {
	case p.source.IsUnspecified():
		// A Duplicate Address Detection probe: its sender has no address yet, so the answer goes to all nodes.
		return allNodes, toGroup && !given
	case given:
		return link, link.unicast()
	default:
		// Neighbor Unreachability Detection solicits by unicast and may omit the option (section 7.2.2). Section 7.2.4
		// would have us resolve the sender's MAC address; it is the source of the frame.
		return p.from, p.from.unicast()
	}
}

// validAdvertisement makes the checks of RFC 4861 section 7.1.2. It returns the MAC address that is advertised, and
// false if the advertisement is invalid.
func validAdvertisement(p icmpv6Packet, us mac) (mac, bool) {
	toGroup := p.destination.IsMulticast() && p.to == groupMAC(p.destination)
	if !toGroup && p.to != us || p.source.IsMulticast() || p.source.IsUnspecified() || !p.checksumValid() {
		return mac{}, false
	}
	message, err := ndp.ParseMessage(p.icmp)
	advertisement, isOne := message.(*ndp.NeighborAdvertisement)
	if err != nil || !isOne || p.destination.IsMulticast() && advertisement.Solicited {
		return mac{}, false
	}
	link, _ := linkLayerAddress(advertisement.Options, ndp.Target)
	return userMAC(link, p.from), true
}

// linkLayerAddress returns the source or target link-layer address option, and false if there is none.
func linkLayerAddress(options []ndp.Option, direction ndp.Direction) (mac, bool) {
	at := slices.IndexFunc(options, func(option ndp.Option) bool {
		link, ok := option.(*ndp.LinkLayerAddress)
		return ok && link.Direction == direction && len(link.Addr) == len(mac{})
	})
	if at < 0 {
		return mac{}, false
	}
	return mac(options[at].(*ndp.LinkLayerAddress).Addr), true
}

// unsolicitedAdvertisement returns the unsolicited neighbor advertisement that makes all nodes update their caches (RFC
// 4861 section 7.2.6).
func unsolicitedAdvertisement(us mac, addr netip.Addr) [][]byte {
	return [][]byte{neighborAdvertisement(us, addr, allNodes, netip.IPv6Unspecified())}
}

// probeNDP returns the solicitation of Duplicate Address Detection (RFC 4862 section 5.4.2); nil if the address is not
// IPv6.
func probeNDP(us mac, addr netip.Addr) []byte {
	group, err := ndp.SolicitedNodeMulticast(addr)
	if err != nil {
		return nil
	}
	return ndpFrame(groupMAC(group), us, netip.IPv6Unspecified(), group, &ndp.NeighborSolicitation{TargetAddress: addr})
}

// questionNDP returns the unicast solicitation of Neighbor Unreachability Detection (RFC 4861 section 7.3). One without a
// source cannot be unicast.
func questionNDP(us mac, addr netip.Addr, to mac, source netip.Addr) []byte {
	if !source.Is6() || !addr.Is6() {
		return nil
	}
	return ndpFrame(to, us, source.WithZone(""), addr, &ndp.NeighborSolicitation{
		TargetAddress: addr, Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: us.slice()}},
	})
}

// neighborAdvertisement returns the neighbor advertisement of RFC 4861 section 7.2.4, to the node that asked, or to all
// nodes if destination is unspecified. The override flag makes receivers replace a cached link-layer address. The target
// link-layer address option is always included, as it must be in the answer to a multicast solicitation.
func neighborAdvertisement(us mac, target netip.Addr, to mac, destination netip.Addr) []byte {
	solicited := !destination.IsUnspecified()
	if !solicited {
		destination = netip.IPv6LinkLocalAllNodes()
	}
	return ndpFrame(to, us, target, destination, advertisementOf(us, target, solicited))
}

// advertisementOf is the message of an advertisement.
func advertisementOf(us mac, target netip.Addr, solicited bool) ndp.Message {
	return &ndp.NeighborAdvertisement{
		Solicited: solicited, Override: true, TargetAddress: target,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: us.slice()}},
	}
}

// ndpFrame returns an Ethernet frame with a message; nil if the message cannot be encoded.
func ndpFrame(to, from mac, source, destination netip.Addr, message ndp.Message) []byte {
	icmp, err := ndp.MarshalMessageChecksum(message, source, destination)
	if err != nil {
		return nil
	}
	frame := ethernetHeader(to, from, unix.ETH_P_IPV6, ipv6Length+len(icmp))
	return append(appendIPv6Header(frame, source, destination, len(icmp)), icmp...)
}
