package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// passive configures our IPv4 address as a neighbor whose connection FRR waits for.
var passive = []string{
	"neighbor OURS remote-as 64512", "neighbor OURS passive",
	"address-family ipv6 unicast", "neighbor OURS activate",
}

func community(t *testing.T, text string) lb.Community {
	t.Helper()
	value, err := lb.ParseCommunity(text)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestFRR_ExternalPeerSeesAttributesAsGiven(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	attributes := &announce.Attributes{
		LocalPref: ptr(uint32(250)), MED: ptr(uint32(42)), Prepend: 2,
		Communities: []lb.Community{
			community(t, "64512:100"), community(t, "no-peer"), community(t, "64512:1:2"), community(t, "rt:64512:7"),
			community(t, "rt:4200000000:7"), community(t, "soo:192.0.2.1:9"), community(t, "bandwidth:64512:125000000"),
		},
	}
	speaker := start(t, c.session(nil, path("198.19.0.1/32", attributes), path("2001:db8:ffff::1/128", attributes)))
	router.has("198.19.0.1/32", func(r *route) error {
		switch {
		case r.ASPath.String != "64512 64512 64512":
			return fmt.Errorf("AS path %q", r.ASPath.String)
		case r.Metric == nil || *r.Metric != 42:
			return fmt.Errorf("MED %v", r.Metric)
		case r.Community.String != "64512:100 no-peer":
			return fmt.Errorf("communities %q", r.Community.String)
		case r.Large.String != "64512:1:2":
			return fmt.Errorf("large communities %q", r.Large.String)
		case r.Extended.String != "RT:64512:7 SoO:192.0.2.1:9 RT:4200000000:7 LB:64512:125000000 (1.000 Gbps)":
			return fmt.Errorf("extended communities %q", r.Extended.String)
		case r.Nexthops[0].IP != c.Ours.String():
			return fmt.Errorf("next hop %s", r.Nexthops[0].IP)
		case r.LocalPref != nil && *r.LocalPref == 250:
			return fmt.Errorf("an external router was sent LOCAL_PREF")
		}
		return nil
	})
	router.has("2001:db8:ffff::1/128", func(r *route) error {
		if r.Nexthops[0].IP != c.Ours6.String() {
			return fmt.Errorf("next hop %s", r.Nexthops[0].IP)
		}
		return nil
	})
	if s := speaker.up("tor"); s.IPv4 != 1 || s.IPv6 != 1 || s.LastError != "" || s.Address != c.Theirs.String() {
		t.Errorf("status %+v", s)
	}
}

func TestFRR_InternalPeerSeesLocalPref(t *testing.T) {
	t.Parallel()
	for name, dynamic := range map[string]bool{"AS number given": false, "AS number dynamic": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCable(t)
			router := startFRR(t, c, 64512, passive...)
			attributes := &announce.Attributes{LocalPref: ptr(uint32(250)), Prepend: 2}
			start(t, c.session(func(s *announce.Session) {
				s.PeerASN = 64512
				if dynamic {
					s.PeerASN, s.Dynamic = 0, "internal"
				}
			}, path("198.19.0.1/32", attributes), path("198.19.0.2/32")))
			pref := func(want uint32) func(r *route) error {
				return func(r *route) error {
					if r.LocalPref == nil || *r.LocalPref != want || r.ASPath.String != "Local" {
						return fmt.Errorf("local preference %v, AS path %q", r.LocalPref, r.ASPath.String)
					}
					return nil
				}
			}
			router.has("198.19.0.1/32", pref(250))
			router.has("198.19.0.2/32", pref(100))
		})
	}
}

func TestFRR_SessionOverIPv6(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, "neighbor OURS6 remote-as 64512", "neighbor OURS6 passive",
		"address-family ipv6 unicast", "neighbor OURS6 activate")
	speaker := start(t, c.session(func(s *announce.Session) {
		s.Address, s.Families, s.NextHop6 = c.Theirs6, []lb.Family{lb.IPv6}, s.NextHop6.Unmap()
	}, path("2001:db8:ffff::1/128"), path("198.19.0.1/32")))
	router.has("2001:db8:ffff::1/128", nil)
	if s := speaker.up("tor"); s.IPv4 != 0 || s.IPv6 != 1 {
		t.Errorf("IPv4 is not exchanged, yet the status is %+v", s)
	}
}

// The other nodes are told that a session is up before its router uses it.
func TestSession_TheFirstUpdateWaits(t *testing.T) {
	t.Parallel()
	const wait = 400 * time.Millisecond
	session := local(t, "tor", newHost(t), func(s *announce.Session) { s.UpdateAfter = wait })
	router := startRouter(t, session)
	speaker := start(t, session)
	up := speaker.up("tor").Since
	for router.count() == 0 && time.Since(up) < wait {
		session.Paths = []announce.Path{path("198.19.0.1/32", med(1))} // What comes meanwhile is in it.
		speaker.set(session)
		time.Sleep(time.Millisecond)
	}
	if router.count() > 0 && time.Since(up) < wait {
		t.Errorf("the router has a route %s after the session is up", time.Since(up))
	}
	router.holds(session.Paths)
	router.mu.Lock()
	defer router.mu.Unlock()
	if router.updates != 1 {
		t.Errorf("%d UPDATE messages have come", router.updates)
	}
}

func TestFRR_PathsChangeWithoutTouchingTheSession(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	speaker := start(t, c.session(nil, path("198.19.0.1/32"), path("198.19.0.2/32")))
	router.has("198.19.0.1/32", nil)
	router.has("198.19.0.2/32", nil)

	speaker.set(c.session(nil, path("198.19.0.2/32", &announce.Attributes{MED: ptr(uint32(7))}), path("198.19.0.3/32")))
	router.has("198.19.0.3/32", nil)
	router.has("198.19.0.2/32", func(r *route) error {
		if r.Metric == nil || *r.Metric != 7 {
			return fmt.Errorf("MED %v", r.Metric)
		}
		return nil
	})
	router.lacks("198.19.0.1/32")
	if n := router.neighbor(c.Ours); n.Established != 1 || n.Dropped != 0 {
		t.Errorf("the session was touched: %+v", n)
	}
	if s := speaker.up("tor"); s.IPv4 != 2 {
		t.Errorf("2 prefixes are announced, the status says %d", s.IPv4)
	}
}

func TestSession_LastErrorSaysWhyItIsDown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		router []string // Lines of the configuration of FRR; nil: there is no router.
		change func(*announce.Session)
		words  func(c *cable) string
	}{
		"nobody listens": {
			words: func(c *cable) string { return "connect to " + c.Theirs.String() + ":179: connection refused" },
		},
		"the source address is not ours": {
			change: func(s *announce.Session) { s.Source = netip.MustParseAddr("198.51.100.9") },
			words: func(c *cable) string {
				return "connect to " + c.Theirs.String() + ":179 from 198.51.100.9: cannot assign requested address"
			},
		},
		"we expect another AS of the router": {
			router: passive,
			change: func(s *announce.Session) { s.PeerASN = 64999 },
			words: func(*cable) string {
				return "sent NOTIFICATION: OPEN message error, bad peer AS: the router is not of AS 64999"
			},
		},
		"the router expects another AS of us": {
			router: []string{"neighbor OURS remote-as 64999", "neighbor OURS passive"},
			words:  func(*cable) string { return "router sent NOTIFICATION: OPEN message error, bad peer AS" },
		},
		"the router does not know us": {
			router: []string{"neighbor 198.51.100.1 remote-as 64999"},
			words:  func(*cable) string { return "router closed the connection before it sent an OPEN message" },
		},
		"the password is wrong": {
			router: append([]string{"neighbor OURS password right"}, passive...),
			change: func(s *announce.Session) { s.Password = "wrong" },
			words: func(c *cable) string {
				return "connect to " + c.Theirs.String() + ":179: no answer (which is also how a wrong password shows)"
			},
		},
		"the router exchanges IPv4 only": {
			router: passive[:2],
			words:  func(*cable) string { return "the router does not exchange IPv6 unicast on this session" },
		},
		"the router must be of another AS, and is of ours": {
			router: []string{"neighbor OURS remote-as 64513", "neighbor OURS passive"},
			change: func(s *announce.Session) { s.MyASN, s.PeerASN, s.Dynamic = 64513, 0, "external" },
			words:  func(*cable) string { return "the router is of our own AS, and must be of another" },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCable(t)
			if test.router != nil {
				lines := slices.Clone(test.router)
				if slices.Contains(lines, "neighbor OURS password right") { // Must follow remote-as.
					lines[0], lines[1] = lines[1], lines[0]
				}
				startFRR(t, c, 64513, lines...)
			}
			start(t, c.session(test.change)).says("tor", test.words(c))
		})
	}
}

func TestFRR_TransportOptions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		router []string
		change func(*announce.Session)
	}{
		"the right password": {
			router: []string{"neighbor OURS password right"},
			change: func(s *announce.Session) { s.Password = "right" },
		},
		"TTL security": {
			router: []string{"neighbor OURS ttl-security hops 1"},
			change: func(s *announce.Session) { s.TTLSecurity = true },
		},
		"multihop": {
			router: []string{"neighbor OURS ebgp-multihop 2"},
			change: func(s *announce.Session) { s.MultiHop = true },
		},
		"a source address": {
			change: func(s *announce.Session) { s.Source = s.RouterID },
		},
		"another AS number shown": {
			router: []string{"neighbor OURS remote-as 64600"},
			change: func(s *announce.Session) { s.LocalASN = 64600 },
		},
		"a four-octet AS number": {
			router: []string{"neighbor OURS remote-as 4200000001"},
			change: func(s *announce.Session) { s.MyASN = 4200000001 },
		},
		"an AS number that is the router's to say": {
			change: func(s *announce.Session) { s.PeerASN, s.Dynamic = 0, "external" },
		},
		"no graceful restart": {
			change: func(s *announce.Session) { s.RestartTime = 0 },
		},
		"the session's own next hop": {
			change: func(s *announce.Session) { s.NextHop4 = s.NextHop4.Prev().Next(); s.Families = []lb.Family{lb.IPv4} },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCable(t)
			router := startFRR(t, c, 64513, slices.Insert(slices.Clone(passive), 2, test.router...)...)
			start(t, c.session(test.change, path("198.19.0.1/32")))
			router.has("198.19.0.1/32", func(r *route) error {
				if r.Nexthops[0].IP != c.Ours.String() {
					return fmt.Errorf("next hop %s", r.Nexthops[0].IP)
				}
				return nil
			})
		})
	}
}

func TestSession_RouterThatReturnsIsBackInFiveSeconds(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	speaker := start(t, c.session(nil, path("198.19.0.1/32")))
	router.has("198.19.0.1/32", nil)
	router.stop()
	speaker.says("tor", "connection refused")
	router.start()
	back := time.Now()
	router.has("198.19.0.1/32", nil)
	if took := time.Since(back); took > 5*time.Second {
		t.Errorf("took %s", took)
	} else {
		t.Logf("took %s", took)
	}
	speaker.await("tor", "is up and remembers what was", func(s Status) bool {
		return s.IPv4 == 1 && s.LastError == "router closed the connection"
	})
}

func TestSpeaker_RemovedSessionLeavesTheOthers(t *testing.T) {
	t.Parallel()
	one, two := newCable(t), newCable(t)
	routers := []*frr{startFRR(t, one, 64513, passive...), startFRR(t, two, 64513, passive...)}
	first := one.session(func(s *announce.Session) { s.Name = "one" }, path("198.19.0.1/32"))
	second := two.session(func(s *announce.Session) { s.Name = "two" }, path("198.19.0.1/32"))
	speaker := start(t, first, second)
	for _, router := range routers {
		router.has("198.19.0.1/32", nil)
	}

	speaker.set(second)
	routers[0].lacks("198.19.0.1/32") // It is not kept as stale either.
	if n := routers[1].neighbor(two.Ours); n.State != "Established" || n.Dropped != 0 {
		t.Errorf("the session that stays was touched: %+v", n)
	}
	if all := speaker.Status(); len(all) != 1 || all[0].Name != "two" {
		t.Errorf("status %+v", all)
	}

	// Other settings reset the one session, and no other. With graceful restart, the route stays.
	speaker.set(first, second)
	routers[0].has("198.19.0.1/32", nil)
	first.HoldTime = 12 * time.Second
	speaker.set(first, second)
	netnstest.Eventually(t, "session one is established anew", func() error {
		if _, err := routers[0].route("198.19.0.1/32"); err != nil {
			t.Errorf("the route is gone meanwhile: %v", err)
		}
		if n := routers[0].neighbor(one.Ours); n.State != "Established" || n.Established != 3 {
			return fmt.Errorf("%+v", n)
		}
		return nil
	})
	if n := routers[1].neighbor(two.Ours); n.Dropped != 0 {
		t.Errorf("the other session was touched: %+v", n)
	}
}

func TestSpeaker_RenamedSessionStaysWithItsRouter(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	speaker := start(t, c.session(nil, path("198.19.0.1/32")))
	router.has("198.19.0.1/32", nil)
	speaker.set(c.session(func(s *announce.Session) { s.Name = "renamed" }, path("198.19.0.1/32")))
	speaker.up("renamed")
	router.has("198.19.0.1/32", nil)
	if n := router.neighbor(c.Ours); n.State != "Established" || n.Dropped != 0 || len(speaker.Status()) != 1 {
		t.Errorf("the session was touched: %+v", n)
	}
}
