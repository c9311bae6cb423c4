package announce

import (
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// A Node that loses or changes its InternalIPs ends no session, and takes from routers elsewhere no next hop that the kernel still has.
func TestNodeEnd_OutlivesTheNodesAddresses(t *testing.T) {
	w := cluster()
	node, peer := w.node("n1"), w.Peers[0]
	peer.Address, peer.Families = netip.MustParseAddr("203.0.113.1"), []lb.Family{lb.IPv4, lb.IPv6}
	both := prefixes("192.0.2.11/24", "2001:db8::11/64")
	made := routerID(&lb.Node{Name: "n1"}).String()
	for _, step := range []struct {
		name      string
		addresses []string
		links     []netip.Prefix
		running   bool
		fixed     string // routerID of the BGPPeer.
		id        string
		four, six string // Next hops; "invalid IP": none.
	}{
		{name: "before there is one the identifier is made from the name", links: both, id: made, four: "invalid IP", six: "invalid IP"},
		{name: "without a session it follows the address", addresses: []string{"192.0.2.11", "2001:db8::11"}, links: both, id: "192.0.2.11", four: "192.0.2.11", six: "2001:db8::11"},
		{name: "all addresses are lost", links: both, running: true, id: "192.0.2.11", four: "192.0.2.11", six: "2001:db8::11"},
		{name: "and again", links: both, running: true, id: "192.0.2.11", four: "192.0.2.11", six: "2001:db8::11"},
		{name: "one is another", addresses: []string{"192.0.2.12"}, links: both, running: true, id: "192.0.2.11", four: "192.0.2.12", six: "2001:db8::11"},
		{name: "what the kernel has lost, too, is no next hop", links: both[:1], running: true, id: "192.0.2.11", four: "invalid IP", six: "invalid IP"},
		{name: "the BGPPeer's own counts at once", addresses: []string{"192.0.2.12"}, links: both, running: true, fixed: "203.0.113.9", id: "203.0.113.9", four: "192.0.2.12", six: "invalid IP"},
		{name: "and is nothing to remember", addresses: []string{"192.0.2.12"}, links: both, running: true, id: "192.0.2.11", four: "192.0.2.12", six: "invalid IP"},
		{name: "when no session is established it follows again", addresses: []string{"192.0.2.12"}, links: both, id: "192.0.2.12", four: "192.0.2.12", six: "invalid IP"},
	} {
		node.Addresses, peer.RouterID = nil, netip.Addr{}
		for _, text := range step.addresses {
			node.Addresses = append(node.Addresses, netip.MustParseAddr(text))
		}
		if step.fixed != "" {
			peer.RouterID = netip.MustParseAddr(step.fixed)
		}
		w.OwnLinks, w.Running = []lb.Link{{Name: "eth0", Up: true, Addresses: step.links}}, map[string]bool{peer.Name: step.running}
		s := Compute(w).Sessions[0]
		if s.RouterID.String() != step.id || s.NextHop4.String() != step.four || s.NextHop6.String() != step.six {
			t.Errorf("%s: router ID %s, next hops %s and %s", step.name, s.RouterID, s.NextHop4, s.NextHop6)
		}
		w.OwnEnd = w.NodeEnd()
	}
	before := w.OwnEnd
	if w.Nodes = nil; w.NodeEnd() != before {
		t.Errorf("without the Node: %+v, not %+v", w.NodeEnd(), before)
	}
}
