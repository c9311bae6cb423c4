package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// The most prefixes that a router has at any time while one list replaces another.
func TestUpdate_WithdrawsFirstWhereALimitWouldBeExceeded(t *testing.T) {
	t.Parallel()
	all := many(20, false, med(1))
	before, after := all[:10], slices.Concat(all[5:10], all[15:20])
	for name, test := range map[string]struct {
		limits        prefixLimits
		most, nothing int
	}{
		"no limit is known":           {prefixLimits{}, 15, 10},
		"one that is high enough":     {prefixLimits{15}, 15, 10},
		"one that would be exceeded":  {prefixLimits{14}, 10, 5},
		"one that is reached already": {prefixLimits{10}, 10, 5},
		"one of the other family":     {prefixLimits{0, 10}, 15, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			had := newAdjRIBOut(someEncoder, &adjRIBOut{}, before, bothFamilies, someHops)
			wanted := newAdjRIBOut(someEncoder, had, after, bothFamilies, someHops)
			r := &router{t: t}
			r.clear()
			r.learnAll(t, had.diff(&adjRIBOut{}).messages([2]bool{}))
			changes := wanted.diff(had)
			most, least := r.count(), r.count()
			for _, message := range split(t, changes.messages(changes.exceeds(test.limits, had))...) {
				r.learnAll(t, [][]byte{message})
				most, least = max(most, r.count()), min(least, r.count())
			}
			if most != test.most || least != test.nothing || r.count() != len(after) {
				t.Errorf("the router had between %d and %d prefixes, and has %d", least, most, r.count())
			}
		})
	}
}

// With FRR's limit as tight as can be, a set that is replaced whole must not end the session.
func TestFRR_ReplacedSetStaysWithinTheLimit(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, slices.Concat(passive, []string{"exit-address-family", "address-family ipv4 unicast", "neighbor OURS maximum-prefix 10"})...)
	paths := many(20, false, med(1))
	session := c.session(func(s *announce.Session) { s.MaximumPrefixes = 10 }, paths[:10]...)
	speaker := start(t, session)
	router.has(paths[9].Prefix.String(), nil)
	session.Paths = paths[10:]
	speaker.set(session)
	router.has(paths[19].Prefix.String(), nil)
	router.lacks(paths[0].Prefix.String())
	if n := router.neighbor(c.Ours); n.State != "Established" || n.Dropped != 0 {
		t.Errorf("the session ended: %+v", n)
	}
}

// A router that has said its limit is not led across it again, though none is configured.
func TestSession_LimitOfTheRouterIsRemembered(t *testing.T) {
	t.Parallel()
	withFakeClock(t, func(s *announce.Session) { s.Paths = many(2, false, med(1)) }, func(c *fakeClockSession) {
		c.refuse(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage, notified(t, 6, 9, 6, 1, 0, 1, 1, 0, 0, 0, 3))
		if s := c.status(); !s.Rejected {
			t.Errorf("status %+v", s)
		}
		conn, heard := c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
		if s := c.status(); s.Rejected || s.State != v1beta1.BGPEstablished {
			t.Errorf("status %+v", s)
		}
		next := *c.currentDesired()
		next.Paths = many(4, false, med(1))[2:]
		c.setDesired(&next)
		synctest.Wait()
		_ = conn.Close()
		var lengths []int // Of withdrawn routes, of each UPDATE.
		for m := range heard {
			if m.messageType == 2 && len(m.body) > 4 {
				lengths = append(lengths, int(m.body[0])<<8|int(m.body[1]))
			}
		}
		if !slices.Equal(lengths, []int{0, 10, 0}) {
			t.Errorf("UPDATE messages withdraw %v bytes, want those of the second one to come before the third", lengths)
		}
	})
}

func TestSession_SaysTheWarningsOfThePlan(t *testing.T) {
	t.Parallel()
	withFakeClock(t, func(s *announce.Session) { s.Warnings = []string{"nearly full"} }, func(c *fakeClockSession) {
		if s := c.status(); len(s.Warnings) > 0 {
			t.Errorf("before there is a session: %+v", s)
		}
		c.accept(routerSettings(nil).mustEncodeOpen(t), keepaliveMessage)
		if s := c.status(); !slices.Equal(s.Warnings, []string{"nearly full"}) {
			t.Errorf("status %+v", s)
		}
		next := *c.currentDesired()
		next.Warnings = nil
		c.setDesired(&next)
		if s := c.status(); len(s.Warnings) > 0 {
			t.Errorf("status %+v", s)
		}
	})
}

// A router with next-hop groups withdraws all routes of a node at once only if they share one next hop.
func TestSession_TenThousandPrefixesShareOneNextHopAndFewMessages(t *testing.T) {
	t.Parallel()
	session := local(t, "tor", newHost(t), nil)
	for i, p := range many(10_000, false, med(1)) {
		p.Attributes = []*announce.Attributes{med(1), med(1)}[i%2] // Equal ones of two advertisements.
		session.Paths = append(session.Paths, p)
	}
	router := startRouter(t, session)
	start(t, session)
	netnstest.Eventually(t, "the router has all", func() error {
		if n := router.count(); n != 10_000 {
			return fmt.Errorf("it has %d", n)
		}
		return nil
	})
	router.mu.Lock()
	defer router.mu.Unlock()
	hops := map[netip.Addr]int{}
	for _, hop := range router.hops {
		hops[hop]++
	}
	if len(hops) != 1 || hops[session.Source] != 10_000 {
		t.Errorf("next hops %v", hops)
	}
	// 5 bytes each, 4,096 a message.
	if router.updates > 13 {
		t.Errorf("%d UPDATE messages", router.updates)
	}
}
