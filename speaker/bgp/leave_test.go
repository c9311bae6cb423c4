package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/departure"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// A router that keeps the routes of a speaker that restarts must delete those of a node that leaves.
func TestSession_LeavingDeletesTheRoutes(t *testing.T) {
	t.Parallel()
	leaving := func(s *announce.Session) {
		s.Leaving, s.BFD, s.BFDSeen = "the node is cordoned", &lb.BFDProfile{}, true
	} // With BFD, a hard reset is needed.
	t.Run("FRR", func(t *testing.T) {
		c := newCable(t)
		router := startFRR(t, c, 64513, passive...)
		speaker := start(t, c.session(leaving, path("198.19.0.1/32")))
		router.has("198.19.0.1/32", nil)
		speaker.end()
		router.lacks("198.19.0.1/32")
		netnstest.Eventually(t, "FRR says why", func() error {
			output, err := router.try("show bgp neighbors " + c.Ours.String())
			if err == nil && !strings.Contains(output, "Cease/Administrative Shutdown/Hard Reset") {
				err = fmt.Errorf("it says %s", output)
			}
			return err
		})
	})
	t.Run("BIRD", func(t *testing.T) {
		c := newCable(t)
		router := startBIRD(t, c, c.Theirs, c.Ours, "")
		speaker := start(t, c.session(leaving, path("198.19.0.1/32")))
		router.has("198.19.0.1/32")
		speaker.end()
		router.lacks("198.19.0.1/32")
	})
}

// twoNodes are two speakers at the near end of a cable that announce the same prefix to a router at the other.
type twoNodes struct {
	*cable
	first, second, router netip.Addr
	leaves                *running
	leaving               announce.Session
}

const shared = "198.19.0.1/32"

// newTwoNodes makes a cable with two addresses at the near end.
func newTwoNodes(t *testing.T) *twoNodes {
	t.Helper()
	n := &twoNodes{cable: newCable(t)}
	host := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, n.Ours.As4()[3], last}) }
	n.first, n.second, n.router = host(1), host(2), host(3)
	netnstest.Address(t, n.Near, netip.PrefixFrom(n.first, 24))
	netnstest.Address(t, n.Near, netip.PrefixFrom(n.second, 24))
	n.Other.Do(t, func() { netnstest.Address(t, n.Far, netip.PrefixFrom(n.router, 24)) })
	return n
}

func (n *twoNodes) start(t *testing.T) {
	t.Helper()
	session := func(at netip.Addr) announce.Session {
		return n.session(func(s *announce.Session) {
			s.Address, s.Source, s.RouterID, s.Families = n.router, at, at, []lb.Family{lb.IPv4}
		}, path(shared))
	}
	n.leaving = session(n.first)
	n.leaves = start(t, n.leaving)
	start(t, session(n.second))
	n.awaitHops(t, n.first, n.second)
}

// awaitHops waits until the router's kernel sends what is for the shared address to exactly these next hops.
func (n *twoNodes) awaitHops(t *testing.T, hops ...netip.Addr) {
	t.Helper()
	netnstest.Eventually(t, "the kernel's next hops", func() error {
		routes := n.Other.Run(t, "ip", "route", "show", shared)
		for _, hop := range []netip.Addr{n.first, n.second} {
			if strings.Contains(routes, "via "+hop.String()+" ") != slices.Contains(hops, hop) {
				return fmt.Errorf("want %v, there is %s", hops, routes)
			}
		}
		return nil
	})
}

// mustLeaveUnnoticed has the first node leave step by step, while the kernel's routes are watched.
func (n *twoNodes) mustLeaveUnnoticed(t *testing.T) {
	t.Helper()
	began := time.Now()
	n.leaves.set(departure.Sessions([]announce.Session{n.leaving}, departure.Unpreferred, "the node is cordoned")...)
	n.awaitHops(t, n.second)
	t.Logf("GRACEFUL_SHUTDOWN moved the traffic after %v", time.Since(began).Round(time.Millisecond))
	n.leaves.set(departure.Sessions([]announce.Session{n.leaving}, departure.Withdrawn, "the node is cordoned")...)
	n.leaves.end()
	n.awaitHops(t, n.second)
}

func TestSession_LeavingMovesTrafficFirst(t *testing.T) {
	t.Run("FRR heeds GRACEFUL_SHUTDOWN without being told", func(t *testing.T) {
		n := newTwoNodes(t)
		router := newFRR(t, n.cable, 64513, "neighbor nodes peer-group", "neighbor nodes remote-as 64512", "neighbor nodes passive",
			"neighbor "+n.first.String()+" peer-group nodes", "neighbor "+n.second.String()+" peer-group nodes")
		router.zebra()
		router.Start("bgpd", router.config) // Unlike start, with routes in the kernel.
		n.start(t)
		n.mustLeaveUnnoticed(t)
	})
	t.Run("BIRD with the filter of our pages", func(t *testing.T) {
		n := newTwoNodes(t)
		var neighbors strings.Builder
		for i, at := range []netip.Addr{n.first, n.second} {
			fmt.Fprintf(&neighbors, `protocol bgp node%d {
	local %s as 64513; neighbor %s as 64512; passive;
	ipv4 { import filter { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; }; export none; };
}
`, i, n.router, at)
		}
		netnstest.StartBIRD(t, n.Other, fmt.Sprintf(`router id %s;
protocol device {}
protocol kernel { merge paths yes; ipv4 { import none; export where source = RTS_BGP; }; }
%s`, n.Theirs, &neighbors))
		n.start(t)
		n.mustLeaveUnnoticed(t)
	})
}
