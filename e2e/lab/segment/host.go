package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// Host is a machine of the lab: a network namespace with an interface eth0 on the segment once it is connected.
type Host struct {
	*testnet.Namespace
	V4, V6 netip.Addr // its addresses on the segment
	MAC    net.HardwareAddr

	secondMAC   net.HardwareAddr // of eth1, while there is one
	sameSegment bool             // eth1 is on the segment of eth0
}

// NewHost makes a host that is not connected to anything. `ip netns exec` knows it by its name.
func NewHost(name string) (*Host, error) {
	namespace, err := testnet.NewNamed(name)
	if err != nil {
		return nil, err
	}
	return furnish(namespace)
}

// currentHost is the host that this process itself is on.
func currentHost(name string) (*Host, error) {
	namespace, err := testnet.Current(name)
	if err != nil {
		return nil, err
	}
	return furnish(namespace)
}

func furnish(namespace *testnet.Namespace) (*Host, error) {
	h := &Host{Namespace: namespace}
	return h, errors.Join(h.Up("lo"), h.SetKernel(predictable))
}

// predictable gives a host no more than the lab set: no route by redirect or router advertisement, and no wait before an
// address is usable.
var predictable = map[string]string{
	"ipv4/conf/all/rp_filter":                "0", // replies may take another way than requests
	"ipv4/conf/default/rp_filter":            "0",
	"ipv4/conf/all/accept_redirects":         "0",
	"ipv4/conf/all/send_redirects":           "0",
	"ipv4/conf/default/send_redirects":       "0",
	"ipv6/conf/all/accept_redirects":         "0",
	"ipv6/conf/all/keep_addr_on_down":        "1", // as IPv4 addresses are
	"ipv6/conf/default/accept_ra":            "0",
	"ipv6/conf/default/accept_dad":           "0",
	"ipv6/conf/default/dad_transmits":        "0",
	"ipv6/conf/default/router_solicitations": "0",
}

// Forwarding makes a host forward packets: nodes and the router do.
var Forwarding = map[string]string{
	"ipv4/ip_forward":                "1",
	"ipv6/conf/all/forwarding":       "1",
	"ipv4/fib_multipath_hash_policy": "1", // spread connections, not hosts, over next hops
	"ipv6/fib_multipath_hash_policy": "1",
	"ipv4/conf/all/accept_local":     "0",
}

// SetKernel is Sysctl that leaves out what the kernel does not know: one without IPv6 or multipath has no such setting.
func (h *Host) SetKernel(settings map[string]string) error {
	for name, value := range settings {
		if err := h.Sysctl(map[string]string{name: value}); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Single is the prefix of one address.
func Single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// DropIPv4 leaves the host with IPv6 alone, as in a cluster that has no other family.
func (h *Host) DropIPv4() error {
	h.V4 = netip.Addr{}
	link, err := h.Link("eth0")
	if err != nil {
		return err
	}
	addresses, err := h.Netlink().AddrList(link, netlink.FAMILY_V4)
	for _, a := range addresses {
		err = errors.Join(err, h.Netlink().AddrDel(link, &a))
	}
	if err != nil {
		return fmt.Errorf("take IPv4 from %s: %w", h.Name, err)
	}
	return nil
}
