package announce

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// processScene is a node whose speaker ends and starts again: what outlives it is what its Speaker object has.
type processScene struct {
	*testing.T
	world  *World
	peer   *lb.Peer
	memory SessionMemory
	now    time.Time
	// reported are the routers of the sessions, by the name of the session.
	reported map[string]netip.Addr
}

func newProcessScene(t *testing.T) *processScene {
	w := cluster()
	w.OwnLinks = []lb.Link{
		{Name: "eth0", Index: 2, Addresses: prefixes("192.0.2.11/24")}, {Name: "lo", Index: 1, Addresses: prefixes("203.0.113.1/32")}, {Name: "red", Index: 9},
	}
	w.Running = map[string]bool{}
	return &processScene{T: t, world: w, peer: w.Peers[0], now: time.Unix(1000, 0)}
}

// restart ends the process and starts another one.
func (s *processScene) restart() {
	s.memory, s.world.Running, s.now = SessionMemory{}, map[string]bool{}, s.now.Add(time.Second)
	s.world.FormerRouters = map[string][]netip.Addr{"router": slices.SortedFunc(maps.Values(s.reported), netip.Addr.Compare)}
}

// pass runs a pass after which these routers have sessions that are established, and returns the sessions that are there, those that would not
// be started with a mark: "router source vrf!".
func (s *processScene) pass(established ...string) string {
	planned := Compute(s.world).Sessions
	s.world.LocalEnds = LocalEnds(s.world.Peers, planned, s.world.LocalEnds)
	s.world.FormerRouters = FormerRouters(s.world.Peers, planned, s.world.FormerRouters)
	sessions, _ := s.memory.Next(s.now, planned, s.world.Running)
	var texts []string
	running, reported := s.world.Running, s.reported
	s.world.Running, s.reported = map[string]bool{}, map[string]netip.Addr{}
	for i := range sessions {
		x := &sessions[i]
		if !x.Address.IsValid() {
			if running[x.Name] { // It cannot be changed, and goes on as it is.
				s.world.Running[x.Name], s.reported[x.Name] = true, reported[x.Name]
			}
			continue
		}
		text := x.Address.String()
		if x.Source.IsValid() {
			text += " from " + x.Source.String()
		}
		if x.VRF != "" {
			text += " in " + x.VRF
		}
		if x.Problem != "" {
			text += "!"
		}
		texts = append(texts, text)
		s.reported[x.Name] = x.Address
		s.world.Running[x.Name] = strings.Contains(strings.Join(established, " "), x.Address.String())
	}
	return strings.Join(texts, ", ")
}

func (s *processScene) expect(when, got, want string) {
	s.Helper()
	if got != want {
		s.Errorf("%s: sessions %q, want %q", when, got, want)
	}
}

// What a node finds by itself becomes unknown: its sessions go on, also with a new process, until it is known again.
func TestSessions_WhatIsUnknownOutlivesTheProcess(t *testing.T) {
	annotate := func(text string) func(*processScene) {
		return func(s *processScene) { s.world.node("n1").Annotations = map[string]string{"example.com/tor": text} }
	}
	gateway := func(addresses ...string) func(*processScene) {
		return func(s *processScene) {
			s.world.Gateways = nil
			for _, addr := range addresses {
				s.world.Gateways = append(s.world.Gateways, lb.Gateway{Addr: netip.MustParseAddr(addr)})
			}
		}
	}
	for _, row := range []struct {
		name           string
		begin, mistake func(*processScene)
		before, runs   string
		restarted      string
		mend           func(*processScene)
		mended         string
	}{
		{
			name: "an annotation with a mistake in it",
			begin: func(s *processScene) {
				s.peer.Address, s.peer.NodeAnnotation = netip.Addr{}, "example.com/tor"
				annotate("192.0.2.1,192.0.2.2")(s)
			},
			before:  "192.0.2.1, 192.0.2.2",
			mistake: annotate("192.0.2.1,192.0.2"), runs: "192.0.2.1, 192.0.2.2", restarted: "192.0.2.1, 192.0.2.2",
			mend: annotate("192.0.2.3"), mended: "192.0.2.3",
		},
		{
			name: "an annotation that is removed from one node of several",
			begin: func(s *processScene) {
				s.peer.Address, s.peer.NodeAnnotation = netip.Addr{}, "example.com/tor"
				annotate("192.0.2.1")(s)
			},
			before:  "192.0.2.1",
			mistake: func(s *processScene) { s.world.node("n1").Annotations = nil },
		},
		{
			name: "no default gateway",
			begin: func(s *processScene) {
				s.peer.Address, s.peer.GatewayFamily = netip.Addr{}, lb.IPv4
				gateway("192.0.2.1")(s)
			},
			before:  "192.0.2.1",
			mistake: gateway(), runs: "192.0.2.1", restarted: "192.0.2.1",
			mend: gateway("192.0.2.1"), mended: "192.0.2.1",
		},
		{
			name: "another default gateway, which has no BGP",
			begin: func(s *processScene) {
				s.peer.Address, s.peer.GatewayFamily = netip.Addr{}, lb.IPv4
				gateway("192.0.2.1")(s)
			},
			before:  "192.0.2.1",
			mistake: gateway("192.0.2.2"), runs: "192.0.2.2, 192.0.2.1", restarted: "192.0.2.2, 192.0.2.1",
			mend: gateway("192.0.2.1"), mended: "192.0.2.1",
		},
		{
			name:    "a VRF that is misspelt",
			begin:   func(s *processScene) { s.peer.VRF = "red" },
			before:  "192.0.2.1 in red",
			mistake: func(s *processScene) { s.peer.VRF = "rde" }, runs: "192.0.2.1 in red", restarted: "192.0.2.1 in red",
			mend: func(s *processScene) { s.peer.VRF = "" }, mended: "192.0.2.1",
		},
		{
			name:    "a first VRF that is misspelt",
			begin:   func(*processScene) {},
			before:  "192.0.2.1",
			mistake: func(s *processScene) { s.peer.VRF = "rde" }, runs: "192.0.2.1", restarted: "192.0.2.1",
			mend: func(s *processScene) { s.peer.VRF = "red" }, mended: "192.0.2.1 in red",
		},
		{
			name:    "a VRF that was never there",
			begin:   func(s *processScene) { s.peer.VRF = "rde" },
			before:  "192.0.2.1 in rde!",
			mistake: func(*processScene) {}, runs: "192.0.2.1 in rde!", restarted: "192.0.2.1 in rde!",
			mend: func(s *processScene) { s.peer.VRF = "red" }, mended: "192.0.2.1 in red",
		},
		{
			name:    "an interface of the source that is misspelt",
			begin:   func(s *processScene) { s.peer.SourceInterface = "lo" },
			before:  "192.0.2.1 from 203.0.113.1",
			mistake: func(s *processScene) { s.peer.SourceInterface = "l0" }, runs: "192.0.2.1 from 203.0.113.1", restarted: "192.0.2.1 from 203.0.113.1",
			mend: func(s *processScene) { s.peer.SourceInterface = "eth0" }, mended: "192.0.2.1 from 192.0.2.11",
		},
		{
			name: "an interface to the router that is misspelt",
			begin: func(s *processScene) {
				s.peer.Address, s.peer.Interface = netip.Addr{}, "eth0"
				s.world.Routers = map[string]netip.Addr{"eth0": netip.MustParseAddr("fe80::1%eth0")}
			},
			before:  "fe80::1%eth0",
			mistake: func(s *processScene) { s.peer.Interface = "eht0" }, restarted: "fe80::1%eth0",
			mend: func(s *processScene) { s.peer.Interface = "eth0" }, mended: "fe80::1%eth0",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newProcessScene(t)
			row.begin(s)
			s.expect("before", s.pass(row.before), row.before)
			row.mistake(s)
			for range 2 {
				s.expect("with the mistake", s.pass("192.0.2.1 192.0.2.2"), row.runs)
			}
			for range 2 {
				s.restart()
				s.expect("after a restart", s.pass(), row.restarted)
				s.expect("in the next pass", s.pass("192.0.2.1"), row.restarted)
			}
			if row.mend != nil {
				row.mend(s)
				s.expect("mended", s.pass(), row.mended)
			}
		})
	}
}

// The gateway that a process before had has as long as a router keeps its routes to have its session again; then it is none.
func TestSessionMemory_FormerGatewayThatIsGone(t *testing.T) {
	s := newProcessScene(t)
	s.peer.Address, s.peer.GatewayFamily, s.peer.RestartTime = netip.Addr{}, lb.IPv4, 40*time.Second
	s.world.Gateways = []lb.Gateway{{Addr: netip.MustParseAddr("192.0.2.2")}}
	s.world.FormerRouters = map[string][]netip.Addr{"router": {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}}
	s.expect("at the start", s.pass(), "192.0.2.2, 192.0.2.1")
	s.now = s.now.Add(39 * time.Second)
	s.expect("39 s later", s.pass(), "192.0.2.2, 192.0.2.1")
	s.now = s.now.Add(time.Second)
	s.expect("when its routes are gone", s.pass(), "192.0.2.2")
}
