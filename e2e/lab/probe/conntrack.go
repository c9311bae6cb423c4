package probe

import (
	"net"
	"net/url"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// untranslated are connections to an address that no service proxy has translated.
type untranslated struct{ to net.IP }

// MatchConntrackFlow tells whether a connection is one.
func (u untranslated) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	return flow.Forward.DstIP.Equal(u.to) && flow.Reverse.SrcIP.Equal(u.to)
}

// forgetUntranslated has the nodes forget connections to the address of a page that were tried before the service proxy
// there knew it. The kernel keeps to its first decision: for two minutes it would route a new connection from the same port
// back to where it came from.
func (c Client) forgetUntranslated(page string) error {
	parsed, err := url.Parse(page)
	if err != nil {
		return err
	}
	filter, family := untranslated{net.ParseIP(parsed.Hostname())}, netlink.InetFamily(unix.AF_INET)
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
