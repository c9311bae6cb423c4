package segment

import (
	"fmt"
	"net/netip"
)

// The addresses of the lab: documentation and benchmark ranges, none of which leaves the namespaces.
var (
	// RouterV4 is the router's address on the segment; it is everybody's default gateway.
	RouterV4 = netip.MustParseAddr("192.0.2.1")
	// RouterV6 is its IPv6 address.
	RouterV6 = netip.MustParseAddr("2001:db8::1")
	// APIServerV4 is the host of the API server, which the process that drives the lab is on.
	APIServerV4 = netip.MustParseAddr("192.0.2.10")
	// ClientV4 is the client on the segment.
	ClientV4 = netip.MustParseAddr("192.0.2.100")
	// ForeignV4 is a host on the segment that is neither node nor client.
	ForeignV4 = netip.MustParseAddr("192.0.2.99")
	// FarClientV4 is the client behind the router.
	FarClientV4 = netip.MustParseAddr("198.51.100.2")

	farGatewayV4 = netip.MustParseAddr("198.51.100.1")
	farGatewayV6 = netip.MustParseAddr("2001:db8:1::1")
	farClientV6  = netip.MustParseAddr("2001:db8:1::2")

	// EverywhereV4 and EverywhereV6 are the prefixes of default routes.
	EverywhereV4 = netip.MustParsePrefix("0.0.0.0/0")
	EverywhereV6 = netip.MustParsePrefix("::/0")

	// PodGatewayV4 and PodGatewayV6 are the default gateways of pods, on their own links.
	PodGatewayV4 = netip.MustParseAddr("169.254.1.1")
	PodGatewayV6 = netip.MustParseAddr("fe80::1")
)

// onSegment takes an IPv4 address of the segment; the IPv6 address ends alike.
func onSegment(address netip.Addr) (v4, v6 netip.Prefix) {
	alike := netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", address.As4()[3]))
	return netip.PrefixFrom(address, 24), netip.PrefixFrom(alike, 64)
}

// NodeAddress is the address of the i-th node, counted from one.
func NodeAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}) }

// PodsPerNode is how many addresses there are for the pods of a node.
const PodsPerNode = 30

// PodRanges are the pod ranges of the i-th node, counted from one: 30 pods on each of seven nodes.
func PodRanges(i int) (v4, v6 netip.Prefix) {
	v4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(32 * i)}), 27)
	return v4, netip.MustParsePrefix(fmt.Sprintf("2001:db8:c0de:%d::/64", i))
}

// PodAddresses are the n-th addresses of a node's pod ranges.
func PodAddresses(node, n int) (v4, v6 netip.Addr) {
	return netip.AddrFrom4([4]byte{203, 0, 113, byte(32*node + n)}),
		netip.MustParseAddr(fmt.Sprintf("2001:db8:c0de:%d::%x", node, n))
}

// farLink is the link between the router and the far client.
func farLink() (router, client [2]netip.Prefix) {
	router = [2]netip.Prefix{netip.PrefixFrom(farGatewayV4, 30), netip.PrefixFrom(farGatewayV6, 64)}
	client = [2]netip.Prefix{netip.PrefixFrom(FarClientV4, 30), netip.PrefixFrom(farClientV6, 64)}
	return router, client
}

// KubeletPodRanges are the pod ranges of the i-th node where real kubelets run, counted from one: kubelets give addresses away in turn
// and need more of them.
func KubeletPodRanges(i int) (v4, v6 netip.Prefix) {
	v4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 19, byte(240 + i), 0}), 24)
	return v4, netip.MustParsePrefix(fmt.Sprintf("2001:db8:c0de:%d::/64", i))
}
