package link

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// The kernel asks once in a second for who did not answer while there was no carrier. When there is one again it begins anew.
func TestWatcher_NeighborsAreAskedForAtOnceOnALinkThatComesUp(t *testing.T) {
	veth(t, "eth-ask", "eth-ask-far")
	ip(t, "addr add 192.0.2.1/24 dev eth-ask")
	ip(t, "addr add 2001:db8::1/64 dev eth-ask nodad")
	ip(t, "link set eth-ask-far up")
	ip(t, "link set eth-ask up")
	w, index := start(t), linkIndex(t, "eth-ask")
	up := func(want bool) func([]lb.Link) error {
		return is(lb.Link{Name: "eth-ask", Up: want, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64")}})
	}
	await(t, w, "the carrier", up(true))
	ip(t, "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev eth-ask nud permanent")
	ip(t, "link set eth-ask-far down")
	await(t, w, "no carrier", up(false))
	for _, addr := range []string{"192.0.2.7", "2001:db8::7"} {
		asked := &netlink.Neigh{LinkIndex: index, IP: net.ParseIP(addr), Flags: netlink.NTF_USE, State: netlink.NUD_NONE}
		if err := netlink.NeighSet(asked); err != nil {
			t.Fatal(err)
		}
	}
	known := func() (addrs []string) {
		list, err := netlink.NeighList(index, netlink.FAMILY_ALL)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			if !n.IP.IsMulticast() {
				addrs = append(addrs, n.IP.String())
			}
		}
		slices.Sort(addrs)
		return addrs
	}
	if got := known(); !slices.Equal(got, []string{"192.0.2.7", "192.0.2.9", "2001:db8::7"}) {
		t.Fatalf("the kernel knows %v", got)
	}
	ip(t, "link set eth-ask-far up")
	await(t, w, "the carrier", up(true))
	for deadline := time.Now().Add(10 * time.Second); !slices.Equal(known(), []string{"192.0.2.9"}); {
		if time.Now().After(deadline) {
			t.Fatalf("the kernel still knows %v", known())
		}
		time.Sleep(10 * time.Millisecond)
	}
}
