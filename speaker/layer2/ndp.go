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
	// targetOffset is where the target address of a message begins, behind its ICMPv6 header.
	targetOffset = 8
	// messageLength is that of a message without options.
	messageLength = targetOffset + 16
)

// hearNDP reads a neighbor solicitation or advertisement that is not our own. The cheap look at the addresses comes
// before the checks of RFC 4861 section 7.1, so that the solicitations of a busy segment cost little.
func hearNDP(us mac, known table, frame []byte) heard {
	p, ok := parseIPv6(frame)
	if !ok || p.from == us || p.hopLimit != hopLimit || len(p.icmp) < messageLength || p.icmp[1] != 0 {
		return heard{}
	}
	target := netip.AddrFrom16([16]byte(p.icmp[targetOffset:messageLength]))
	switch p.icmp[0] {
	case typeSolicitation:
		return hearSolicitation(us, known, p, target)
	case typeAdvertisement:
		return hearAdvertisement(us, known, p, target)
	default:
		return heard{}
	}
}

// hearSolicitation answers for a held address. Without a source it is a probe for duplicates (RFC 4862 section 5.4.3),
// else its source claims the address that it asks from.
func hearSolicitation(us mac, known table, p packet6, target netip.Addr) heard {
	h := heard{question: true}
	asked, source := known[target], known[p.source]
	if asked == nil && source == nil {
		return h
	}
	asker, ok := validSolicitation(p, us, target)
	if !ok {
		return h
	}
	switch {
	case asked == nil:
	case asked.held.Load():
		h.reply = advertisement(us, target, asker, p.source)
	case p.source.IsUnspecified():
		h.claim = claim{addr: target, by: p.from, probe: true}
	}
	if source != nil && asker != us {
		h.claim = claim{addr: p.source, by: asker, held: source.held.Load()}
	}
	return h
}

// hearAdvertisement: somebody says where one of our addresses is.
func hearAdvertisement(us mac, known table, p packet6, target netip.Addr) heard {
	v := known[target]
	if v == nil {
		return heard{}
	}
	by, ok := validAdvertisement(p, us)
	if !ok || by == us {
		return heard{}
	}
	return heard{claim: claim{addr: target, by: by, held: v.held.Load()}}
}

// validSolicitation finishes the checks of RFC 4861 section 7.1.1 and returns the MAC address that the answer goes to.
func validSolicitation(p packet6, us mac, target netip.Addr) (mac, bool) {
	group, err := ndp.SolicitedNodeMulticast(target)
	if err != nil || p.source.IsMulticast() {
		return mac{}, false
	}
	toGroup := p.destination == group && p.to == groupMAC(group)
	toUs := p.destination == target && p.to == us
	if !toGroup && !toUs || !p.checksumRight() {
		return mac{}, false
	}
	message, err := ndp.ParseMessage(p.icmp)
	solicitation, isOne := message.(*ndp.NeighborSolicitation)
	if err != nil || !isOne {
		return mac{}, false
	}
	link, given := linkOption(solicitation.Options, ndp.Source)
	switch {
	case p.source.IsUnspecified():
		// A probe for duplicates: the asker has no address yet, so the answer goes to all nodes.
		return allNodes, toGroup && !given
	case given:
		return link, link.station()
	default:
		// Reachability is asked by unicast and without the option (section 7.2.2). The asker's MAC address, which
		// section 7.2.4 would have us resolve, is that of the frame.
		return p.from, p.from.station()
	}
}

// validAdvertisement makes the checks of RFC 4861 section 7.1.2 and returns the MAC address that is advertised.
func validAdvertisement(p packet6, us mac) (mac, bool) {
	toGroup := p.destination.IsMulticast() && p.to == groupMAC(p.destination)
	if !toGroup && p.to != us || p.source.IsMulticast() || p.source.IsUnspecified() || !p.checksumRight() {
		return mac{}, false
	}
	message, err := ndp.ParseMessage(p.icmp)
	advertisement, isOne := message.(*ndp.NeighborAdvertisement)
	if err != nil || !isOne || p.destination.IsMulticast() && advertisement.Solicited {
		return mac{}, false
	}
	link, _ := linkOption(advertisement.Options, ndp.Target)
	return claimer(link, p.from), true
}

// linkOption finds the source or target link-layer address option.
func linkOption(options []ndp.Option, direction ndp.Direction) (mac, bool) {
	at := slices.IndexFunc(options, func(option ndp.Option) bool {
		link, ok := option.(*ndp.LinkLayerAddress)
		return ok && link.Direction == direction && len(link.Addr) == len(mac{})
	})
	if at < 0 {
		return mac{}, false
	}
	return mac(options[at].(*ndp.LinkLayerAddress).Addr), true
}

// announceNDP returns the unsolicited advertisement that makes all nodes replace what they know of an address
// (RFC 4861 section 7.2.6).
func announceNDP(us mac, addr netip.Addr) [][]byte {
	return [][]byte{advertisement(us, addr, allNodes, netip.IPv6Unspecified())}
}

// probeNDP returns the solicitation of duplicate address detection (RFC 4862 section 5.4.2); nil when the address is not
// IPv6.
func probeNDP(us mac, addr netip.Addr) []byte {
	group, err := ndp.SolicitedNodeMulticast(addr)
	if err != nil {
		return nil
	}
	return ndpFrame(groupMAC(group), us, netip.IPv6Unspecified(), group, &ndp.NeighborSolicitation{TargetAddress: addr})
}

// advertisement writes a neighbor advertisement by RFC 4861 section 7.2.4, to the asker, or to all nodes when the
// asker is unspecified. The override flag makes it replace what was known; the target link-layer address is always
// given, as it must be in the answer to a multicast solicitation.
func advertisement(us mac, target netip.Addr, to mac, asker netip.Addr) []byte {
	solicited := !asker.IsUnspecified()
	if !solicited {
		asker = netip.IPv6LinkLocalAllNodes()
	}
	return ndpFrame(to, us, target, asker, &ndp.NeighborAdvertisement{
		Solicited: solicited, Override: true, TargetAddress: target,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: us.slice()}},
	})
}

// ndpFrame writes a message into an Ethernet frame.
func ndpFrame(to, from mac, source, destination netip.Addr, message ndp.Message) []byte {
	icmp, err := ndp.MarshalMessageChecksum(message, source, destination)
	if err != nil {
		return nil
	}
	frame := ethernetHeader(to, from, unix.ETH_P_IPV6, ipv6Length+len(icmp))
	return append(appendIPv6Header(frame, source, destination, len(icmp)), icmp...)
}
