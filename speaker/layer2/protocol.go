package layer2

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/lb"
)

// protocol is what differs between ARP and NDP. Its functions are pure: bytes in, bytes out.
type protocol struct {
	name      string
	etherType int
	filter    filter
	// solicited: questions come to a group that is made from the address, which the interface must listen to.
	solicited bool
	// answer returns the frame that answers a frame, nil if it is not a question about one of the held addresses.
	answer func(us mac, held set, frame []byte) []byte
	// announcement returns the frames that say unasked where an address is.
	announcement func(us mac, addr netip.Addr) [][]byte
}

var protocols = map[lb.Family]*protocol{
	lb.IPv4: {
		name: "ARP", etherType: unix.ETH_P_ARP, filter: arpFilter,
		answer: answerARP, announcement: announceARP,
	},
	lb.IPv6: {
		name: "NDP", etherType: unix.ETH_P_IPV6, filter: ndpFilter, solicited: true,
		answer: answerNDP, announcement: announceNDP,
	},
}
