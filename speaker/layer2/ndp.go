package layer2

import (
	"net/netip"
	"slices"

	"github.com/mdlayher/ndp"
	"golang.org/x/sys/unix"
)

// Numbers of RFC 4861.
const (
	hopLimit         = ndp.HopLimit
	typeSolicitation = 135
	// targetOffset is where the target address of a solicitation begins, behind its ICMPv6 header.
	targetOffset       = 8
	solicitationLength = targetOffset + 16
)

// answerNDP returns the advertisement that answers a neighbor solicitation, nil when there is nothing to say: the
// frame is not valid by RFC 4861 section 7.1.1, not to us or the group of its target, our own, or not about a held
// address. The cheap look at the address comes first, so that the solicitations of a busy segment cost little.
func answerNDP(us mac, held set, frame []byte) []byte {
	p, ok := parseIPv6(frame)
	if !ok || p.from == us || p.hopLimit != hopLimit || len(p.icmp) < solicitationLength ||
		p.icmp[0] != typeSolicitation || p.icmp[1] != 0 {
		return nil
	}
	target := netip.AddrFrom16([16]byte(p.icmp[targetOffset:solicitationLength]))
	if _, ours := held[target]; !ours {
		return nil
	}
	asker, ok := validate(p, us, target)
	if !ok {
		return nil
	}
	return advertisement(us, target, asker, p.source)
}

// validate finishes the checks of RFC 4861 section 7.1.1 and returns the MAC address that the answer goes to.
func validate(p packet6, us mac, target netip.Addr) (mac, bool) {
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
	link, given := sourceLink(solicitation.Options)
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

// sourceLink finds the source link-layer address option.
func sourceLink(options []ndp.Option) (mac, bool) {
	at := slices.IndexFunc(options, func(option ndp.Option) bool {
		link, ok := option.(*ndp.LinkLayerAddress)
		return ok && link.Direction == ndp.Source && len(link.Addr) == len(mac{})
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

// advertisement writes a neighbor advertisement by RFC 4861 section 7.2.4, to the asker, or to all nodes when the
// asker is unspecified. The override flag makes it replace what was known; the target link-layer address is always
// given, as it must be in the answer to a multicast solicitation.
func advertisement(us mac, target netip.Addr, to mac, asker netip.Addr) []byte {
	solicited := !asker.IsUnspecified()
	if !solicited {
		asker = netip.IPv6LinkLocalAllNodes()
	}
	icmp, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{
		Solicited: solicited, Override: true, TargetAddress: target,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: us.slice()}},
	}, target, asker)
	if err != nil {
		return nil
	}
	frame := ethernetHeader(to, us, unix.ETH_P_IPV6, ipv6Length+len(icmp))
	return append(appendIPv6Header(frame, target, asker, len(icmp)), icmp...)
}
