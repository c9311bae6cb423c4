package probe

import (
	"net"
	"net/url"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// synSent is the state of connection tracking in which a connection has begun, and nobody has answered.
const synSent = 1

// unserved are connections to an address that no service proxy has translated, and those that it has to a pod which never answered.
type unserved struct{ to net.IP }

// MatchConntrackFlow tells whether a connection is one.
func (u unserved) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	tcp, is := flow.ProtoInfo.(*netlink.ProtoInfoTCP)
	return flow.Forward.DstIP.Equal(u.to) && (flow.Reverse.SrcIP.Equal(u.to) || is && tcp.State == synSent)
}

// forgetUnserved has the nodes forget connections to the address of a page that were tried before the service proxy
// there knew it, or knew that a pod had gone. The kernel keeps to its first decision: for two minutes it would route a new
// connection from the same port back to where it came from, or to the pod that is not there.
func (c Client) forgetUnserved(page string) error {
	parsed, err := url.Parse(page)
	if err != nil {
		return err
	}
	filter, family := unserved{net.ParseIP(parsed.Hostname())}, netlink.InetFamily(unix.AF_INET)
	if filter.to.To4() == nil {
		family = unix.AF_INET6
	}
	for _, n := range c.nodes {
		if _, err := n.Netlink().ConntrackDeleteFilters(netlink.ConntrackTable, family, filter); err != nil {
			return err
		}
	}
	return nil
}
