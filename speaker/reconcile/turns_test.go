package reconcile

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// toRouter is a session as a plan has it.
func toRouter(change func(*announce.Session)) []announce.Session {
	s := announce.Session{
		Name: "tor", Peer: "tor", Address: netip.MustParseAddr("192.0.2.1"), MyASN: 64512, PeerASN: 64513, HoldTime: 90 * time.Second,
		Families: []lb.Family{lb.IPv4}, Paths: []announce.Path{{Prefix: netip.MustParsePrefix("198.19.0.1/32")}},
	}
	if change != nil {
		change(&s)
	}
	return []announce.Session{s}
}

// shared is what its path is for.
var shared = []announce.RoutedAddress{{Addr: netip.MustParseAddr("198.19.0.1"), Nodes: []string{"n1", "n2"}}}

func maintained(s *announce.Session) {
	s.PathsBefore, s.Paths, s.AdminState = s.Paths, nil, v1beta1.AdminMaintenance
}

func retired(s *announce.Session) {
	maintained(s)
	s.Paths, s.Retiring = s.PathsBefore, true
}

func down(s *announce.Session)     { s.Paths, s.AdminState = nil, v1beta1.AdminDown }
func heldDown(s *announce.Session) { s.Paths, s.HeldDown = nil, true }
func faster(s *announce.Session)   { s.HoldTime = 9 * time.Second }
func renamed(s *announce.Session)  { s.Name, s.Peer = "another", "another" }
func moreBy(s *announce.Session)   { s.Paths = append(s.Paths, s.Paths...) }
func asItWas(*announce.Session)    {}
func deleted() []announce.Session  { return nil }
func describe(s []announce.Session) string {
	if len(s) == 0 {
		return "none"
	}
	return s[0].Name + " " + string(s[0].AdminState) + " " + s[0].HoldTime.String() + " " + string(rune('0'+useOf(&s[0])))
}

// Others hear at once that a router is about to turn, and it is told a moment later.
func TestTurns_RoutersAreToldAfterTheOthers(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name     string
		was, is  []announce.Session
		absent   bool // it is not established
		alone    bool // no other node announces the same
		waits    bool
		tellsNot bool // anything new
	}{
		{name: "nothing changes", was: toRouter(nil), is: toRouter(nil), tellsNot: true},
		{name: "other routes", was: toRouter(nil), is: toRouter(moreBy), tellsNot: true},
		{name: "into maintenance", was: toRouter(nil), is: toRouter(retired), waits: true},
		{name: "its routes are withdrawn then", was: toRouter(retired), is: toRouter(maintained), waits: true},
		{name: "out of maintenance", was: toRouter(maintained), is: toRouter(nil), waits: true},
		{name: "shut down", was: toRouter(nil), is: toRouter(down), waits: true},
		{name: "not down any more: it is dialed", was: toRouter(down), is: toRouter(nil), absent: true, waits: true},
		{name: "shut down without a route", was: toRouter(maintained), is: toRouter(down), tellsNot: true},
		{name: "deleted", was: toRouter(nil), is: deleted(), waits: true},
		{name: "reset for other settings", was: toRouter(nil), is: toRouter(faster), waits: true},
		{name: "BFD has been up for holdDown", was: toRouter(heldDown), is: toRouter(nil), waits: true},
		{name: "BFD has failed", was: toRouter(nil), is: toRouter(heldDown)},
		{name: "another BGPPeer has the router, and the session goes on", was: toRouter(nil), is: toRouter(renamed)},
		{name: "shut down, and it was not established", was: toRouter(nil), is: toRouter(down), absent: true},
		{name: "deleted, and it was not established", was: toRouter(nil), is: deleted(), absent: true},
		{name: "shut down where no other node announces the same", was: toRouter(nil), is: toRouter(down), alone: true},
	} {
		var m turns
		routed := shared
		if test.alone {
			routed = []announce.RoutedAddress{{Addr: shared[0].Addr, Nodes: []string{"n1"}}}
		}
		established := map[string]bool{"tor": !test.absent}
		_, before, _ := m.next(now, "n1", test.was, established, routed)
		got, told, wait := m.next(now, "n1", test.is, established, routed)
		want, wantWait := test.is, time.Duration(0)
		if test.waits {
			want, wantWait = test.was, handover.RouteDelay
		}
		if describe(got) != describe(want) || wait != wantWait || (told == before) != test.tellsNot {
			t.Errorf("%s: given %s, again in %s, tells %d after %d", test.name, describe(got), wait, told, before)
		}
		got, again, wait := m.next(now.Add(handover.RouteDelay), "n1", test.is, established, routed)
		if describe(got) != describe(test.is) || wait != 0 {
			t.Errorf("%s: later given %s, again in %s", test.name, describe(got), wait)
		}
		if isReset := test.name == "reset for other settings"; again != told && !isReset {
			t.Errorf("%s: it is told %d, and then %d", test.name, told, again)
		}
	}
}

// A Service that goes is withdrawn at once, for another one may have its address next.
func TestTurns_WhatIsNotRoutedAnyMoreIsWithdrawn(t *testing.T) {
	path := func(prefix string) announce.Path { return announce.Path{Prefix: netip.MustParsePrefix(prefix)} }
	was := toRouter(func(s *announce.Session) {
		s.Paths = []announce.Path{path("198.19.0.0/32"), path("198.19.0.0/30"), path("198.19.0.1/32"), path("198.19.0.2/32"), path("198.19.8.0/24")}
	})
	var m turns
	established := map[string]bool{"tor": true}
	m.next(time.Now(), "n1", was, established, shared)
	got, _, _ := m.next(time.Now(), "n1", nil, established, shared)
	if want := []announce.Path{path("198.19.0.0/30"), path("198.19.0.1/32")}; len(got) != 1 || !slices.Equal(got[0].Paths, want) {
		t.Errorf("given %+v", got)
	}
	if len(was[0].Paths) != 5 {
		t.Error("the plan itself has changed")
	}
}

// What is taken back within the moment has not happened, and what is changed once more does not wait anew.
func TestTurns_ASecondChangeOfMind(t *testing.T) {
	now := time.Now()
	var m turns
	established := map[string]bool{"tor": true}
	_, before, _ := m.next(now, "n1", toRouter(nil), established, shared)
	m.next(now, "n1", toRouter(retired), established, shared)
	got, told, wait := m.next(now.Add(time.Millisecond), "n1", toRouter(asItWas), established, shared)
	if describe(got) != describe(toRouter(nil)) || told != before || wait != 0 {
		t.Errorf("taken back: %s, again in %s, tells %d after %d", describe(got), wait, told, before)
	}
	m.next(now, "n1", toRouter(retired), established, shared)
	_, _, wait = m.next(now.Add(time.Millisecond), "n1", toRouter(down), established, shared)
	if wait != handover.RouteDelay-time.Millisecond {
		t.Errorf("shut down after all: again in %s", wait)
	}
}

func TestTurns_ANodeIsIdleThatNoRouterUses(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name  string
		steps [][]announce.Session
		up    []bool
		idle  bool
	}{
		{"it has just started", [][]announce.Session{toRouter(nil)}, []bool{false}, false},
		{"its session is up", [][]announce.Session{toRouter(nil)}, []bool{true}, false},
		{"its session is away", [][]announce.Session{toRouter(nil), toRouter(nil)}, []bool{true, false}, true},
		{"it retires", [][]announce.Session{toRouter(nil), toRouter(retired)}, []bool{true, true}, false},
		{"it is in maintenance", [][]announce.Session{toRouter(maintained)}, []bool{true}, true},
		{"it is shut down", [][]announce.Session{toRouter(nil), toRouter(down)}, []bool{true, true}, true},
		{"one of two is in maintenance", [][]announce.Session{slices.Concat(toRouter(maintained), toRouter(renamed))}, []bool{true}, false},
	} {
		var m turns
		for i, sessions := range test.steps {
			m.next(now, "n1", sessions, map[string]bool{"tor": test.up[i], "another": test.up[i]}, shared)
		}
		if (m.idle == "n1") != test.idle {
			t.Errorf("%s: idle is %q", test.name, m.idle)
		}
	}
}

// The others pass on to a node that may announce an address whatever it says, so in a large cluster it need not say anything when a router is away.
func TestConnections_WhatTheOthersHaveToHear(t *testing.T) {
	own, others := netip.MustParseAddr("198.19.0.1"), netip.MustParseAddr("198.19.0.2")
	routed := []announce.RoutedAddress{{Addr: own, Nodes: []string{"n1", "n2"}}, {Addr: others, Nodes: []string{"n2"}}}
	left := []netip.Addr{netip.MustParseAddr("192.0.2.200"), own, others}
	var m connections
	if got := m.toTell(left, routed); !slices.Equal(got, left) {
		t.Errorf("while routers use it: %v", got)
	}
	m.turns.idle = "n1"
	if got := m.toTell(left, routed); !slices.Equal(got, []netip.Addr{left[0], others}) {
		t.Errorf("while none does: %v", got)
	}
}
