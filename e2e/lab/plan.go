package lab

import (
	"fmt"
	"net/netip"
)

// The addresses of the lab: documentation and benchmark ranges, none of which leaves the namespaces.
var (
	// RouterV4 is the router's address on the segment; it is everybody's default gateway.
	RouterV4 = netip.MustParseAddr("192.0.2.1")
	// APIServerV4 is the host of the API server, where the process that drives the lab stands.
	APIServerV4 = netip.MustParseAddr("192.0.2.10")
	// ClientV4 is the client on the segment.
	ClientV4 = netip.MustParseAddr("192.0.2.100")
	// StrangerV4 is a host on the segment that belongs to nobody.
	StrangerV4 = netip.MustParseAddr("192.0.2.99")
	// FarClientV4 is the client behind the router.
	FarClientV4 = netip.MustParseAddr("198.51.100.2")

	farGatewayV4 = netip.MustParseAddr("198.51.100.1")
	farGatewayV6 = netip.MustParseAddr("2001:db8:1::1")
	farClientV6  = netip.MustParseAddr("2001:db8:1::2")

	everywhereV4 = netip.MustParsePrefix("0.0.0.0/0")
	everywhereV6 = netip.MustParsePrefix("::/0")

	podGatewayV4 = netip.MustParseAddr("169.254.1.1")
	podGatewayV6 = netip.MustParseAddr("fe80::1")
)

const serviceRanges = "198.18.0.0/16,2001:db8:5e::/112"

// segmentAddresses are a host's addresses on the segment, with their prefix lengths.
type segmentAddresses struct{ v4, v6 netip.Prefix }

// onSegmentOf takes an IPv4 address of the segment; the IPv6 address ends alike.
func onSegmentOf(v4 netip.Addr) segmentAddresses {
	v6 := netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", v4.As4()[3]))
	return segmentAddresses{netip.PrefixFrom(v4, 24), netip.PrefixFrom(v6, 64)}
}

func nodeAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}) }

// podsPerNode is how many addresses there are for the pods of a node.
const podsPerNode = 30

// podRanges are the pod ranges of the i-th node, counted from one: 30 pods on each of seven nodes.
func podRanges(i int) (v4, v6 netip.Prefix) {
	v4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(32 * i)}), 27)
	return v4, netip.MustParsePrefix(fmt.Sprintf("2001:db8:c0de:%d::/64", i))
}

// podAddresses are the n-th addresses of a node's pod ranges.
func podAddresses(node, n int) (v4, v6 netip.Addr) {
	return netip.AddrFrom4([4]byte{203, 0, 113, byte(32*node + n)}),
		netip.MustParseAddr(fmt.Sprintf("2001:db8:c0de:%d::%x", node, n))
}

// farLink is the link between the router and the far client.
func farLink() (router, client [2]netip.Prefix) {
	router = [2]netip.Prefix{netip.PrefixFrom(farGatewayV4, 30), netip.PrefixFrom(farGatewayV6, 64)}
	client = [2]netip.Prefix{netip.PrefixFrom(FarClientV4, 30), netip.PrefixFrom(farClientV6, 64)}
	return router, client
}
