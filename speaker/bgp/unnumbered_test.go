package bgp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// linkLocal returns the link-local address of a link in the current namespace; an error while it has none.
func linkLocal(name string) (found netip.Addr, err error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return found, err
	}
	all, err := netlink.AddrList(link, netlink.FAMILY_V6)
	if err != nil {
		return found, err
	}
	for _, a := range all {
		addr, _ := netip.AddrFromSlice(a.IP)
		if addr.IsLinkLocalUnicast() && a.Flags&unix.IFA_F_TENTATIVE == 0 {
			return addr, nil
		}
	}
	return found, fmt.Errorf("%s has no link-local address", name)
}

// linkLocals waits for the link-local addresses of both ends of the cable.
func (c *cable) linkLocals(t *testing.T) (ours, theirs netip.Addr) {
	t.Helper()
	netnstest.Eventually(t, "both ends have link-local addresses", func() (err error) {
		ours, err = linkLocal(c.Near)
		var far error
		c.Other.Do(t, func() { theirs, far = linkLocal(c.Far) })
		return errors.Join(err, far)
	})
	return ours, theirs
}

// advertise sends router advertisements from our end of the cable until the test ends. FRR learns the address of an
// unnumbered neighbor from them.
func (c *cable) advertise(t *testing.T) {
	t.Helper()
	link, err := net.InterfaceByName(c.Near)
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := ndp.Listen(link, ndp.LinkLocal)
	if err != nil {
		t.Fatal(err)
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for beat := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-over:
				return
			case <-beat.C: // A lifetime of 0: we are no default router.
				_ = conn.WriteTo(&ndp.RouterAdvertisement{}, nil, netip.IPv6LinkLocalAllNodes())
			}
		}
	}()
	t.Cleanup(func() {
		close(over)
		<-ended
		_ = conn.Close()
	})
}

func TestUnnumbered_AnnouncesBothFamilies(t *testing.T) {
	t.Parallel()
	activate := func(neighbor string) []string {
		return []string{
			"neighbor " + neighbor + " passive", "neighbor " + neighbor + " capability extended-nexthop",
			"address-family ipv6 unicast", "neighbor " + neighbor + " activate",
		}
	}
	byInterface := func(c *cable, _ netip.Addr) []string {
		return slices.Concat([]string{"neighbor " + c.Far + " interface v6only remote-as external"}, activate(c.Far))
	}
	byAddress := func(c *cable, ours netip.Addr) []string {
		neighbor := "neighbor " + ours.String()
		return slices.Concat([]string{neighbor + " remote-as 64512", neighbor + " interface " + c.Far}, activate(ours.String()))
	}
	for name, test := range map[string]struct {
		router func(*cable, netip.Addr) []string
		change func(*announce.Session)
	}{
		"the router names its interface":        {byInterface, func(*announce.Session) {}},
		"the router names our address":          {byAddress, func(*announce.Session) {}},
		"the node has no global address at all": {byAddress, func(s *announce.Session) { s.NextHop4, s.NextHop6 = netip.Addr{}, netip.Addr{} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCable(t)
			ours, theirs := c.linkLocals(t)
			router := newFRR(t, c, 64513, test.router(c, ours)...)
			router.zebra()
			router.start()
			t.Cleanup(router.stop)
			c.advertise(t)
			speaker := start(t, c.session(func(s *announce.Session) {
				s.Address, s.PeerASN, s.Dynamic = theirs.WithZone(c.Near), 0, "external"
				test.change(s)
			}, path("198.19.0.1/32"), path("2001:db8:ffff::1/128")))
			for _, prefix := range []string{"198.19.0.1/32", "2001:db8:ffff::1/128"} {
				router.has(prefix, func(r *route) error {
					if !r.Valid || r.hop() != ours.String() {
						return fmt.Errorf("next hops %+v", r.Nexthops)
					}
					return nil
				})
			}
			if s := speaker.up("tor"); s.IPv4 != 1 || s.IPv6 != 1 || s.LastError != "" || s.Address != theirs.WithZone(c.Near).String() {
				t.Errorf("status %+v", s)
			}
			speaker.set(c.session(func(s *announce.Session) {
				s.Address, s.PeerASN, s.Dynamic = theirs.WithZone(c.Near), 0, "external"
				test.change(s)
			}))
			router.lacks("198.19.0.1/32")
			router.lacks("2001:db8:ffff::1/128")
			if s := speaker.up("tor"); s.IPv4 != 0 || s.IPv6 != 0 {
				t.Errorf("nothing is announced any more, the status is %+v", s)
			}
		})
	}
}

func TestNextHop_IPv4OverIPv6(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		extended bool
		change   func(*announce.Session)
		hop      func(*cable) string
		words    string
	}{
		"with an IPv6 next hop where the node has no IPv4 (RFC 8950)": {
			true, func(s *announce.Session) { s.NextHop4 = netip.Addr{} }, func(c *cable) string { return c.Ours6.String() }, "",
		},
		"with the IPv4 address of the interface": {
			true, func(s *announce.Session) {
				s.NextHopsFrom = map[netip.Addr]announce.NextHops{netip.PrefixFrom(s.Address, 64).Masked().Addr().Next(): {IPv4: s.NextHop4}}
			}, func(c *cable) string { return c.Ours.String() }, "",
		},
		"with the node's own IPv4 where the router takes no other": {
			false, func(*announce.Session) {}, func(c *cable) string { return c.Ours.String() }, "",
		},
		"not at all where neither is to be had": {
			false, func(s *announce.Session) { s.NextHop4 = netip.Addr{} }, nil,
			"IPv4 prefixes are not announced: the interface of this session has no IPv4 address to be their next hop",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCable(t)
			lines := []string{"neighbor OURS6 remote-as 64512", "neighbor OURS6 passive"}
			if test.extended {
				lines = append(lines, "neighbor OURS6 capability extended-nexthop")
			}
			router := startFRR(t, c, 64513, append(lines, "address-family ipv6 unicast", "neighbor OURS6 activate")...)
			session := c.session(func(s *announce.Session) { s.Address = c.Theirs6; test.change(s) },
				path("198.19.0.1/32"), path("2001:db8:ffff::1/128"))
			speaker := start(t, session)
			router.has("2001:db8:ffff::1/128", nil)
			s := speaker.up("tor")
			if s.LastError != test.words || !slices.Equal(s.Families, []lb.Family{lb.IPv4, lb.IPv6}) {
				t.Errorf("status %+v", s)
			}
			if test.hop == nil {
				router.lacks("198.19.0.1/32")
				return
			}
			router.has("198.19.0.1/32", func(r *route) error {
				if r.Nexthops[0].IP != test.hop(c) {
					return fmt.Errorf("next hops %+v", r.Nexthops)
				}
				return nil
			})
			session.Paths = session.Paths[1:]
			speaker.set(session)
			router.lacks("198.19.0.1/32")
		})
	}
}
