package layer2

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// protocol is what differs between ARP and NDP. Its functions are pure: bytes in, bytes out.
type protocol struct {
	name      string
	etherType int
	filter    filter
	// solicited: requests are sent to the solicited-node multicast group of the address, which the interface must join.
	solicited bool
	// handle handles a frame that was received by the interface with our MAC address.
	handle func(us mac, known addressSet, frame []byte) outcome
	// gratuitous returns the forms of the frame that announces an address. The first one is what the RFCs ask for.
	gratuitous func(us mac, addr netip.Addr) [][]byte
	// probe returns the frame that asks whether some host uses an address, without using it.
	probe func(us mac, addr netip.Addr) []byte
	// question returns the frame that asks one host whether it uses an address. The source is our own address for NDP; nil if
	// it is not fit.
	question func(us mac, addr netip.Addr, to mac, source netip.Addr) []byte
	// update returns the forms of the frame that tells a client of a shared address where it is, inform the frame that announces an
	// address to one host, and introduce the frame that tells another node of a client.
	update    func(us mac, addr netip.Addr, of neighbor) [][]byte
	inform    func(us mac, addr netip.Addr, to mac) []byte
	introduce func(us mac, addr netip.Addr, of neighbor, to mac) []byte
	// describe says what a frame is about.
	describe func(frame []byte) description
}

// outcome is what a frame means to us; the zero outcome: nothing.
type outcome struct {
	// request: the frame is a request or solicitation, for any address.
	request bool
	// reply is the frame that answers it if the address is held; else nil.
	reply []byte
	// by is who asked, if the address may be shared.
	by requester
	// use of one of our addresses by the sender of the frame.
	use addressUse
}

// addressUse says that another host uses one of our addresses.
type addressUse struct {
	// addr is the address; invalid: no address of ours is in use.
	addr netip.Addr
	// by is the MAC address of the other host.
	by mac
	// held: we hold the address.
	held bool
	// probe: the other host probes the address and does not use it yet.
	probe bool
	// announced: the other host announces the address to all.
	announced bool
}

// userMAC returns the MAC address that a packet gives for its sender, or that of its frame if it gives none.
func userMAC(given, from mac) mac {
	if given.unicast() {
		return given
	}
	return from
}

var protocols = map[lb.Family]*protocol{
	lb.IPv4: {
		name: "ARP", etherType: unix.ETH_P_ARP, filter: arpFilter,
		handle: handleARP, gratuitous: gratuitousARP, probe: probeARP, question: questionARP, describe: describeARP,
		update: updateARP, inform: informARP, introduce: introduceARP,
	},
	lb.IPv6: {
		name: "NDP", etherType: unix.ETH_P_IPV6, filter: ndpFilter, solicited: true,
		handle: handleNDP, gratuitous: unsolicitedAdvertisement, probe: probeNDP, question: questionNDP, describe: describeNDP,
		update: updateNDP, inform: informNDP, introduce: introduceNDP,
	},
}
