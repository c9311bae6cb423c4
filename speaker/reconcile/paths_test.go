package reconcile

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

func TestPathsThatAreWatched(t *testing.T) {
	router := announce.Session{Name: "router", Address: netip.MustParseAddr("192.0.2.1"), BFD: &lb.BFDProfile{Name: "fast"}}
	other := router
	other.Name = "second"
	var p paths
	names := func(sessions ...announce.Session) (names []string) {
		for _, w := range p.watch(sessions, nil) {
			names = append(names, w.Name)
		}
		return names
	}
	troubled := router
	troubled.Problem, troubled.Address, troubled.BFD = "no router has been heard", netip.Addr{}, nil
	if got := names(troubled); len(got) != 0 {
		t.Errorf("a session that never ran is watched: %v", got)
	}
	if got := names(router, other); !slices.Equal(got, []string{"router"}) || !slices.Equal(p.sharers("router"), []string{"router", "second"}) {
		t.Errorf("of two sessions with one router are watched %v, for %v", got, p.sharers("router"))
	}
	p.watch([]announce.Session{other}, nil)
	if got := p.sharers("router"); !slices.Contains(got, "second") {
		t.Errorf("a failure of the path under the name that it just had concerns %v", got)
	}
	names(router, other)
	watched := p.watch([]announce.Session{troubled}, nil)
	if len(watched) != 1 || watched[0].Peer != router.Address {
		t.Errorf("a session that runs on with a problem is watched by %v", watched)
	}
	router.MultiHopBFD = true
	if got := p.watch([]announce.Session{router}, nil); got[0].MultiHop {
		t.Error("a router that was one hop away has moved away with our own address")
	}
	router.BFD = nil
	if got := names(router); len(got) != 0 {
		t.Errorf("watched without a profile: %v", got)
	}
}

func TestBFDIsNotTakenFromASessionThatStands(t *testing.T) {
	router := announce.Session{Name: "router", Address: netip.MustParseAddr("192.0.2.1"), BFD: &lb.BFDProfile{Name: "fast"}}
	var p paths
	p.watch([]announce.Session{router}, nil)
	up := []bfd.Status{{Name: "router", State: bfdsession.Up}}
	established := []bgp.Status{{Name: "router", State: v1beta1.BGPEstablished}}
	if got := p.concerned("router"); !slices.Equal(got, []string{"router"}) {
		t.Errorf("a failure concerns %v", got)
	}
	router.BFD = nil
	for _, row := range []struct {
		name    string
		watches []bfd.Status
		bgp     []bgp.Status
		want    int
	}{
		{"it stands", up, established, 1},
		{"it still does", up, established, 1},
		{"a problem", up, established, 1},
		{"the router has taken BFD off", []bfd.Status{{Name: "router", State: bfdsession.Down}}, established, 0},
		{"it is not to be had again", up, established, 0},
	} {
		router.Problem = ""
		if row.name == "a problem" {
			router.Problem = "no router has been heard"
		}
		if got := p.watch([]announce.Session{router}, p.standing(row.bgp, row.watches)); len(got) != row.want {
			t.Errorf("%s: watched are %v", row.name, got)
		}
		if got := p.concerned("router"); len(got) > 0 {
			t.Errorf("%s: a failure concerns %v", row.name, got)
		}
	}
	router.BFD = &lb.BFDProfile{Name: "fast"}
	p.watch([]announce.Session{router}, nil)
	router.BFD = nil
	if got := p.watch([]announce.Session{router}, p.standing([]bgp.Status{{Name: "router", State: v1beta1.BGPActive}}, up)); len(got) > 0 {
		t.Errorf("it has ended: watched are %v", got)
	}
}
