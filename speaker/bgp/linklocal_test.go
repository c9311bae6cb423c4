package bgp

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// vlan lays two cables into one bridge here, which is our interface to both routers, and returns its name.
func vlan(t *testing.T, routers ...*cable) string {
	t.Helper()
	const bridge = "vlan0"
	ip := func(args ...string) {
		if output, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, output)
		}
	}
	ip("link", "add", bridge, "type", "bridge")
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", bridge).Run() })
	ip("link", "set", bridge, "up")
	for _, c := range routers {
		ip("link", "set", c.Near, "master", bridge)
	}
	return bridge
}

func TestLinkLocal_TwoRoutersOnOneVLAN(t *testing.T) {
	t.Parallel()
	a, b := newCable(t), newCable(t)
	bridge := vlan(t, a, b)
	var ours, first, second netip.Addr
	netnstest.Eventually(t, "all have link-local addresses", func() (err error) {
		ours, err = linkLocal(bridge)
		var errs [2]error
		a.Other.Do(t, func() { first, errs[0] = linkLocal(a.Far) })
		b.Other.Do(t, func() { second, errs[1] = linkLocal(b.Far) })
		return errors.Join(err, errs[0], errs[1])
	})
	neighbor := "neighbor " + ours.String()
	frr := newFRR(t, a, 64513, neighbor+" remote-as 64512", neighbor+" passive", neighbor+" interface "+a.Far,
		neighbor+" capability extended-nexthop", "address-family ipv6 unicast", neighbor+" activate")
	frr.zebra()
	frr.start()
	bird := startBIRD(t, b, second, ours, fmt.Sprintf("interface %q;", b.Far))

	session := func(name string, router netip.Addr) announce.Session {
		return a.session(func(s *announce.Session) {
			s.Name, s.Address, s.NextHop4, s.NextHop6 = name, router.WithZone(bridge), netip.Addr{}, netip.Addr{}
		}, path("2001:db8:ffff::1/128"))
	}
	speaker := start(t, session("first", first), session("second", second))
	speaker.up("first")
	speaker.up("second")
	frr.has("2001:db8:ffff::1/128", func(r *route) error {
		if !r.Valid || r.hop() != ours.String() {
			return fmt.Errorf("next hops %+v", r.Nexthops)
		}
		return nil
	})
	bird.has("2001:db8:ffff::1/128", ours.String())
}
