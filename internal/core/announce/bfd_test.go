package announce

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func watched(sessions []BFDSession) (names []string) {
	for i := range sessions {
		names = append(names, sessions[i].Name)
	}
	return names
}

func TestBFDPlan_Sessions(t *testing.T) {
	router := Session{Name: "router", Address: netip.MustParseAddr("192.0.2.1"), BFD: &lb.BFDProfile{Name: "fast"}}
	other := router
	other.Name = "second"
	p := &BFDPlan{}
	next := func(sessions ...Session) []BFDSession {
		p = p.Next(sessions, nil)
		return p.Sessions
	}
	troubled := router
	troubled.Problem, troubled.Address, troubled.BFD = "no router has been heard", netip.Addr{}, nil
	if got := next(troubled); len(got) != 0 {
		t.Errorf("a session that never ran is watched: %v", got)
	}
	if got := watched(next(router, other)); !slices.Equal(got, []string{"router"}) || !slices.Equal(p.Sharing("router"), []string{"router", "second"}) {
		t.Errorf("of two sessions with one router are watched %v, for %v", got, p.Sharing("router"))
	}
	next(other)
	if got := p.Sharing("router"); !slices.Contains(got, "second") {
		t.Errorf("a failure of the path under the name that it just had concerns %v", got)
	}
	next(router, other)
	if got := next(troubled); len(got) != 1 || got[0].Peer != router.Address {
		t.Errorf("a session that runs on with a problem is watched by %v", got)
	}
	router.MultiHopBFD = true
	if got := next(router); got[0].MultiHop {
		t.Error("a router that was one hop away has moved away with our own address")
	}
	router.BFD = nil
	if got := next(router); len(got) != 0 {
		t.Errorf("watched without a profile: %v", got)
	}
}

// Its packets would come back to the node, and BFD would be up with itself.
func TestSessions_NoBFDWithTheNodeItself(t *testing.T) {
	for _, test := range []struct {
		router, vrf string
		watched     bool
	}{
		{"192.0.2.1", "", true},
		{"192.0.2.11", "", false},
		{"192.0.2.11", "red", true}, // of another VRF
		{"127.0.0.1", "", false},
		{"::1", "red", false},
		{"198.51.100.7", "", false},
		{"2001:db8::11", "", false},
		{"fe80::11%eth0", "", false},
		{"fe80::11%eth1", "", true},
	} {
		w := cluster()
		w.OwnLinks = []lb.Link{
			{Name: "eth0", Index: 2, Up: true, Addresses: []netip.Prefix{
				netip.MustParsePrefix("192.0.2.11/24"), netip.MustParsePrefix("2001:db8::11/64"), netip.MustParsePrefix("fe80::11/64"),
			}},
			{Name: "eth1", Index: 3, Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::12/64")}},
			{Name: "lo", Index: 1, Up: true, NoARP: true, Local: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28")}},
			{Name: "red", Index: 4, Up: true},
		}
		peer := w.Peers[0]
		peer.Address, peer.VRF, peer.BFDProfile, peer.BFDStrict = netip.MustParseAddr(test.router), test.vrf, "fast", true
		w.BFDProfiles = map[string]*lb.BFDProfile{"fast": {Name: "fast"}}
		got := Compute(w).Sessions[0]
		said := slices.Contains(got.Warnings, "bfdProfile is not used: "+test.router+" is an address of this node, and BFD would be up with itself")
		if got.Problem != "" || (got.BFD != nil) != test.watched || got.BFDStrict != test.watched || said == test.watched {
			t.Errorf("%s: BFD %v, strict: %t, problem %q, warnings %q", test.router, got.BFD, got.BFDStrict, got.Problem, got.Warnings)
		}
	}
}

func TestBFDPlan_IsNotTakenFromAStableSession(t *testing.T) {
	router := Session{Name: "router", Address: netip.MustParseAddr("192.0.2.1"), BFD: &lb.BFDProfile{Name: "fast"}}
	p := (&BFDPlan{}).Next([]Session{router}, nil)
	up := []string{"router"}
	established := map[string]bool{"router": true}
	if got := p.Affected("router"); !slices.Equal(got, []string{"router"}) {
		t.Errorf("a failure concerns %v", got)
	}
	router.BFD = nil
	for _, row := range []struct {
		name    string
		problem string
		up      []string
		want    int
	}{
		{"it is stable", "", up, 1},
		{"it still is", "", up, 1},
		{"a problem", "no router has been heard", up, 1},
		{"the router has taken BFD off", "", nil, 0},
		{"BFD is not begun again", "", up, 0},
	} {
		router.Problem = row.problem
		p = p.Next([]Session{router}, p.Stable(established, row.up))
		if len(p.Sessions) != row.want {
			t.Errorf("%s: watched are %v", row.name, p.Sessions)
		}
		if got := p.Affected("router"); len(got) > 0 || !p.Ending("router") {
			t.Errorf("%s: a failure concerns %v", row.name, got)
		}
	}
	router.BFD = &lb.BFDProfile{Name: "fast"}
	p = p.Next([]Session{router}, nil)
	router.BFD = nil
	if got := p.Next([]Session{router}, p.Stable(map[string]bool{"router": false}, up)).Sessions; len(got) > 0 {
		t.Errorf("it has ended: watched are %v", got)
	}
}

func TestHoldForBFD_HoldsWhatBFDWatches(t *testing.T) {
	router := Session{Name: "router", Address: netip.MustParseAddr("192.0.2.1"), BFD: &lb.BFDProfile{Name: "fast"}}
	shares, other, unwatched := router, router, router
	shares.Name, other.Name, unwatched.Name = "shares", "other", "unwatched"
	other.Address, unwatched.BFD = netip.MustParseAddr("192.0.2.2"), nil
	sessions := []Session{router, shares, other, unwatched}
	plan := (&BFDPlan{}).Next(sessions, nil)
	for _, test := range []struct {
		name    string
		plan    *BFDPlan
		settled []string
		held    []string
	}{
		{"before the first plan BFD knows nothing", &BFDPlan{}, nil, []string{"router", "shares", "other"}},
		{"a BFD session that listens", plan, []string{"other"}, []string{"router", "shares"}},
		{"one that is settled releases all that share it", plan, []string{"router"}, []string{"other"}},
		{"all are settled", plan, []string{"other", "router"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var held []string
			for _, s := range HoldForBFD(sessions, test.plan.Watched(test.settled), nil) {
				if s.Hold {
					held = append(held, s.Name)
				}
			}
			if !slices.Equal(held, test.held) {
				t.Errorf("held are %v, want %v", held, test.held)
			}
		})
	}
	if sessions[0].Hold {
		t.Error("the sessions given are changed")
	}
}

func TestHoldForBFD_StrictSessionsWaitUntilBFDIsPassable(t *testing.T) {
	strict := Session{Name: "strict", Address: netip.MustParseAddr("192.0.2.1"), BFD: &lb.BFDProfile{Name: "fast"}, BFDStrict: true}
	shares, other, lax := strict, strict, strict
	shares.Name, other.Name, lax.Name = "shares", "other", "lax"
	other.Address, lax.BFDStrict = netip.MustParseAddr("192.0.2.2"), false
	sessions := []Session{strict, shares, other, lax}
	plan := (&BFDPlan{}).Next(sessions, nil)
	for _, test := range []struct {
		name     string
		plan     *BFDPlan
		passable []string
		waiting  []string
	}{
		{"before the first plan BFD knows nothing", &BFDPlan{}, nil, []string{"strict", "shares", "other"}},
		{"no BFD session is up", plan, nil, []string{"strict", "shares", "other"}},
		{"one that is up releases all that share it", plan, []string{"strict"}, []string{"other"}},
		{"all are up", plan, []string{"other", "strict"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var waiting []string
			for _, s := range HoldForBFD(sessions, nil, test.plan.Watched(test.passable)) {
				if s.AwaitBFD {
					waiting = append(waiting, s.Name)
				}
			}
			if !slices.Equal(waiting, test.waiting) {
				t.Errorf("waiting are %v, want %v", waiting, test.waiting)
			}
		})
	}
}

// A router whose BFD was never up with us learns of our death by the hold timer alone.
func TestBFDSeen_NeedsBFDThatWasUpWithTheRouter(t *testing.T) {
	tor, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	profile, up := &lb.BFDProfile{}, time.Unix(1, 0)
	var seen BFDSeen
	for _, pass := range []struct {
		name  string
		watch *lb.BFDProfile
		addr  netip.Addr
		path  BFDPath
		want  bool
	}{
		{"it has not come up", profile, tor, BFDPath{Router: tor}, false},
		{"it is up", profile, tor, BFDPath{Router: tor, Up: up}, true},
		{"it was up", profile, tor, BFDPath{Router: tor}, true},
		{"another router", profile, other, BFDPath{Router: tor, Up: up}, false},
		{"the first one again", profile, tor, BFDPath{Router: tor}, false},
		{"it is up again", profile, tor, BFDPath{Router: tor, Up: up}, true},
		{"no profile any more", nil, tor, BFDPath{Router: tor, Up: up}, false},
	} {
		sessions := []Session{{Name: "tor", Address: pass.addr, BFD: pass.watch}}
		seen.Next(sessions, map[string]BFDPath{"tor": pass.path})
		if sessions[0].BFDSeen != pass.want {
			t.Errorf("%s: seen is %t, want %t", pass.name, sessions[0].BFDSeen, pass.want)
		}
	}
}
