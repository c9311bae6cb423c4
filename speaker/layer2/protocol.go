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
	// solicited: questions come to a group that is made from the address, which the interface must listen to.
	solicited bool
	// hear reads a frame that was received at our MAC address.
	hear func(us mac, known table, frame []byte) heard
	// announcement returns the frames that say unasked where an address is. The first alone is what the RFCs mean.
	announcement func(us mac, addr netip.Addr) [][]byte
	// probe returns the frame that asks whether somebody has an address, by somebody who has none.
	probe func(us mac, addr netip.Addr) []byte
}

// heard is what a frame says that concerns us; zero: nothing.
type heard struct {
	// question: it asks for an address, whichever.
	question bool
	// reply is the frame that answers it, because the address is held; else nil.
	reply []byte
	// claim to an address that we know.
	claim claim
}

// claim is somebody's word that an address is his.
type claim struct {
	// addr is the address; invalid: there is no claim.
	addr netip.Addr
	// by is the MAC address of the claimer.
	by mac
	// held: we hold the address.
	held bool
	// probe: it is a probe, which claims nothing yet.
	probe bool
}

// claimer is the MAC address that a claim gives, or that of its frame when it gives none.
func claimer(given, from mac) mac {
	if given.station() {
		return given
	}
	return from
}

var protocols = map[lb.Family]*protocol{
	lb.IPv4: {
		name: "ARP", etherType: unix.ETH_P_ARP, filter: arpFilter,
		hear: hearARP, announcement: announceARP, probe: probeARP,
	},
	lb.IPv6: {
		name: "NDP", etherType: unix.ETH_P_IPV6, filter: ndpFilter, solicited: true,
		hear: hearNDP, announcement: announceNDP, probe: probeNDP,
	},
}
