package reconcile

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/rendezvous"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

func TestRouted_AddressesAreMergedWithThoseOfLayer2(t *testing.T) {
	a, b, c, d := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("192.0.2.4")
	view := &gossip.View{Peers: map[string]gossip.Peer{"n1": {}, "n3": {}}}
	plan := &announce.Plan{Routed: []announce.RoutedAddress{
		{Addr: b, Nodes: []string{"n1", "n2", "n3"}, Draining: time.Minute, Revision: 7},
		{Addr: c, Nodes: []string{"n1"}, Draining: time.Minute},
	}}
	layer2 := []handover.Address{
		{Addr: a, Holders: []string{"n2"}, Draining: time.Hour},
		{Addr: c, Holders: []string{"n3"}, Draining: time.Hour},
		{Addr: d, Holders: []string{"n4"}, Draining: time.Second},
	}
	want := []handover.Address{
		layer2[0],
		{Addr: b, Holders: []string{"n1", "n3"}, Draining: time.Minute, Revision: 7},
		{Addr: c, Holders: []string{"n1", "n3"}, Draining: time.Hour, Revision: rendezvous.Hash("n3")},
		layer2[2],
	}
	if got := new(routed).addresses(view, plan, layer2); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nnot %v", got, want)
	}
}

// Nodes that announce an address to routers may hold it by layer 2, too: which of them does changes who attracts its packets.
func TestRouted_AnotherHolderOnTheSegmentIsAChange(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.1")
	view := &gossip.View{Peers: map[string]gossip.Peer{"n1": {}, "n2": {}}}
	plan := &announce.Plan{Routed: []announce.RoutedAddress{{Addr: addr, Nodes: []string{"n1", "n2"}, Draining: time.Minute, Revision: 7}}}
	held := func(holder string, revision uint64) handover.Address {
		return new(routed).addresses(view, plan, []handover.Address{{Addr: addr, Holders: []string{holder}, Revision: revision}})[0]
	}
	before := held("n1", 0)
	for name, now := range map[string]handover.Address{"another holder": held("n2", 0), "other shares": held("n1", 1)} {
		if now.Revision == before.Revision || !slices.Equal(now.Holders, before.Holders) {
			t.Errorf("%s: %v, and before %v", name, now, before)
		}
	}
	if again := held("n1", 0); again.Revision != before.Revision {
		t.Errorf("the same is %v, and was %v", again, before)
	}
}

func TestRouted_Disturbed(t *testing.T) {
	var r routed
	for _, step := range []struct {
		name string
		view gossip.View
		own  uint64
		want []string
	}{
		{"the first pass", gossip.View{Peers: map[string]gossip.Peer{"n1": {State: gossip.State{Sessions: 1}}}}, 5, nil},
		{"a node joins", gossip.View{Peers: map[string]gossip.Peer{"n1": {State: gossip.State{Sessions: 1}}, "n2": {}}}, 5, nil},
		{"its sessions come up", gossip.View{Peers: map[string]gossip.Peer{"n1": {State: gossip.State{Sessions: 1}}, "n2": {State: gossip.State{Sessions: 2}}}}, 5, []string{"n2"}},
		{"one is suspected, which may be wrong", gossip.View{Suspects: []string{"n1"}}, 5, nil},
		{"one leaves", gossip.View{Peers: map[string]gossip.Peer{"n1": {State: gossip.State{Leaving: true}}}}, 5, []string{"n1"}},
		{"sessions of this node change, which the others hear now", gossip.View{Peers: map[string]gossip.Peer{"self": {State: gossip.State{Sessions: 5}}}}, 6, []string{"self"}},
	} {
		got := r.disturbed(&step.view, "self", step.own)
		if len(got) != len(step.want) || len(step.want) > 0 && !got[step.want[0]] {
			t.Errorf("%s: %v", step.name, got)
		}
	}
}

func TestRouted_ARouteStaysForAMoment(t *testing.T) {
	now := time.Now()
	path := func(prefix string) announce.Path { return announce.Path{Prefix: netip.MustParsePrefix(prefix)} }
	before := []announce.Path{path("198.51.99.0/24"), path("198.51.100.1/32"), path("198.51.100.2/32")}
	leaving := map[netip.Addr]time.Time{
		netip.MustParseAddr("198.51.100.0"): now.Add(handover.RouteDelay), netip.MustParseAddr("198.51.100.1"): now.Add(handover.RouteDelay),
	}
	for _, test := range []struct {
		name    string
		at      time.Time
		session announce.Session
		want    []announce.Path
	}{
		{"that of an address which leaves stays, others go", now, announce.Session{}, before[1:2]},
		{"among new ones it has its place", now, announce.Session{Paths: before[2:]}, before[1:]},
		{"not when the time is up", now.Add(handover.RouteDelay), announce.Session{}, nil},
		{"not where the session is in maintenance", now, announce.Session{AdminState: v1beta1.AdminMaintenance}, nil},
		{"not where BFD has failed", now, announce.Session{HeldDown: true}, nil},
	} {
		r := routed{announced: map[string][]announce.Path{"": before}, leaving: leaving}
		kept, wait := r.keepAnnounced(test.at, []announce.Session{test.session})
		if !reflect.DeepEqual(kept[0].Paths, test.want) || (wait == handover.RouteDelay) != slices.ContainsFunc(test.want, func(p announce.Path) bool { return p == before[1] }) {
			t.Errorf("%s: %v, again in %s", test.name, kept[0].Paths, wait)
		}
		if !reflect.DeepEqual(r.announced[""], test.want) {
			t.Errorf("%s: it remembers %v", test.name, r.announced)
		}
	}
}

// A prefix that was held back takes the place of one that leaves at once, and the router must not be sent both.
func TestRouted_ARouteThatStaysKeepsToMaximumPrefixes(t *testing.T) {
	now := time.Now()
	paths := func(prefixes ...string) (paths []announce.Path) {
		for _, prefix := range prefixes {
			paths = append(paths, announce.Path{Prefix: netip.MustParsePrefix(prefix)})
		}
		return paths
	}
	before := paths("198.51.100.1/32", "198.51.100.2/32", "2001:db8::1/128")
	leaving := map[netip.Addr]time.Time{}
	for _, p := range before {
		leaving[p.Prefix.Addr()] = now.Add(handover.RouteDelay)
	}
	for _, test := range []struct {
		name      string
		limit     int
		now, want []announce.Path
	}{
		{"no limit", 0, paths("198.51.100.2/32", "198.51.100.3/32"), paths("198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32", "2001:db8::1/128")},
		{"the one held back takes the place", 2, paths("198.51.100.2/32", "198.51.100.3/32"), paths("198.51.100.2/32", "198.51.100.3/32", "2001:db8::1/128")},
		{"there is room for one of two", 2, paths("198.51.100.3/32"), paths("198.51.100.1/32", "198.51.100.3/32", "2001:db8::1/128")},
		{"each family has its own", 1, paths("2001:db8::2/128"), paths("198.51.100.1/32", "2001:db8::2/128")},
	} {
		r := routed{announced: map[string][]announce.Path{"": before}, leaving: leaving}
		kept, _ := r.keepAnnounced(now, []announce.Session{{Paths: test.now, MaximumPrefixes: test.limit}})
		if !reflect.DeepEqual(kept[0].Paths, test.want) || !reflect.DeepEqual(r.announced[""], test.want) {
			t.Errorf("%s: %v, and it remembers %v", test.name, kept[0].Paths, r.announced)
		}
	}
}

// Of an address whose clients are divided anew a session announces what it did, and nothing that it did not.
func TestRouted_WhatIsDividedAnewIsAnnouncedAsBeforeForAMoment(t *testing.T) {
	now := time.Now()
	path := func(prefix string, prepend, weight int) announce.Path {
		return announce.Path{Prefix: netip.MustParsePrefix(prefix), Attributes: &announce.Attributes{Prepend: prepend, Weight: lb.WeightOf(weight)}}
	}
	before := []announce.Path{path("198.51.99.0/24", 1, 1), path("198.51.100.1/32", 1, 1), path("198.51.100.2/32", 1, 1), path("198.51.100.3/32", 1, 1)}
	planned := []announce.Path{path("198.51.99.0/24", 2, 1), path("198.51.100.0/30", 1, 1), path("198.51.100.1/32", 2, 1), path("198.51.100.3/32", 1, 2)}
	turned := map[netip.Addr]time.Time{
		netip.MustParseAddr("198.51.100.1"): now.Add(handover.RouteDelay), netip.MustParseAddr("198.51.100.2"): now.Add(handover.RouteDelay),
		netip.MustParseAddr("198.51.100.3"): now.Add(handover.RouteDelay),
	}
	for _, test := range []struct {
		name    string
		at      time.Time
		session announce.Session
		want    []announce.Path
	}{
		{"at once, but for a weight", now, announce.Session{}, []announce.Path{planned[0], before[1], before[2], planned[3]}},
		{"when the time is up", now.Add(handover.RouteDelay), announce.Session{}, planned},
		{"where BFD has failed", now, announce.Session{HeldDown: true}, []announce.Path{planned[0], planned[2], planned[3]}},
	} {
		r := routed{announced: map[string][]announce.Path{"": before}, turned: turned}
		test.session.Paths = slices.Clone(planned)
		got, wait := r.delayRoutes(test.at, []announce.Session{test.session})
		if !reflect.DeepEqual(got[0].Paths, test.want) || (wait > 0) == (len(test.want) == len(planned) && test.want[1] == planned[1]) {
			t.Errorf("%s: %v, again in %s", test.name, got[0].Paths, wait)
		}
	}
}

func TestRouted_ARouteThatJoinsOthersComesAMomentLater(t *testing.T) {
	now := time.Now()
	path := func(prefix string) announce.Path { return announce.Path{Prefix: netip.MustParsePrefix(prefix)} }
	all := []announce.Path{path("198.51.99.0/24"), path("198.51.100.1/32"), path("198.51.100.2/32")}
	joining := map[netip.Addr]time.Time{
		netip.MustParseAddr("198.51.100.0"): now.Add(handover.RouteDelay), netip.MustParseAddr("198.51.100.1"): now.Add(handover.RouteDelay),
	}
	for _, test := range []struct {
		name   string
		at     time.Time
		before []announce.Path
		want   []announce.Path
	}{
		{"that of an address which joins waits, others do not", now, nil, []announce.Path{all[0], all[2]}},
		{"one that is announced already stays", now, all[1:2], all},
		{"not when the time is up", now.Add(handover.RouteDelay), nil, all},
	} {
		r := routed{announced: map[string][]announce.Path{"": test.before}, joining: joining}
		sessions := []announce.Session{{Paths: slices.Clone(all)}}
		delayed, wait := r.delayJoined(test.at, sessions)
		if !reflect.DeepEqual(delayed[0].Paths, test.want) || (wait == handover.RouteDelay) != (len(test.want) < len(all)) {
			t.Errorf("%s: %v, again in %s", test.name, delayed[0].Paths, wait)
		}
		if !reflect.DeepEqual(sessions[0].Paths, all) {
			t.Errorf("%s: the plan itself has changed to %v", test.name, sessions[0].Paths)
		}
	}
}

// Routers send packets for all addresses of an aggregated prefix by its one route.
func TestRouted_AnAggregatedRouteStaysAndComesWithTheLastOfItsAddresses(t *testing.T) {
	now := time.Now()
	early, late := now.Add(handover.RouteDelay/2), now.Add(handover.RouteDelay)
	waiting := map[netip.Addr]time.Time{
		netip.MustParseAddr("198.51.99.255"): late, netip.MustParseAddr("198.51.100.7"): early, netip.MustParseAddr("198.51.100.8"): late,
		netip.MustParseAddr("198.51.100.9"): early, netip.MustParseAddr("198.51.102.0"): early, netip.MustParseAddr("2001:db8:1::1"): early,
	}
	for prefix, until := range map[string]time.Time{
		"198.51.100.0/24":   late,
		"198.51.101.0/24":   {}, // The addresses before and after it wait.
		"198.51.102.0/24":   early,
		"198.51.103.0/24":   {},
		"2001:db8::/48":     {},
		"2001:db8:1::/48":   early,
		"2001:db8:1:1::/64": {},
	} {
		path := announce.Path{Prefix: netip.MustParsePrefix(prefix)}
		for _, at := range []time.Time{now, early.Add(-1), early, late.Add(-1), late} {
			left := max(until.Sub(at), 0)
			stays := routed{announced: map[string][]announce.Path{"": {path}}, leaving: waiting}
			if kept, wait := stays.keepAnnounced(at, []announce.Session{{}}); (len(kept[0].Paths) > 0) != (left > 0) || wait != left {
				t.Errorf("%s that leaves, after %s: %v for %s, not %s", prefix, at.Sub(now), kept[0].Paths, wait, left)
			}
			comes := routed{joining: waiting}
			if delayed, wait := comes.delayJoined(at, []announce.Session{{Paths: []announce.Path{path}}}); (len(delayed[0].Paths) == 0) != (left > 0) || wait != left {
				t.Errorf("%s that joins, after %s: %v for %s, not %s", prefix, at.Sub(now), delayed[0].Paths, wait, left)
			}
		}
	}
}

func TestLeavingRoutes(t *testing.T) {
	until := time.Now().Add(handover.RouteDelay)
	a, b, c, d := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("192.0.2.4")
	routes := []announce.RoutedAddress{{Addr: a}, {Addr: b}, {Addr: c, Unserved: true}, {Addr: d, Unserved: true, Follows: true}}
	if got, want := leavingRoutes(map[netip.Addr]time.Time{a: until, c: until, d: until}, routes), map[netip.Addr]time.Time{a: until, d: until}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, not %v", got, want)
	}
}
