package reconcile

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/lb"
	"github.com/daymark-lb/daymark/speaker/announce"
)

func TestPathsThatAreWatched(t *testing.T) {
	router := announce.Session{Name: "router", Address: netip.MustParseAddr("192.0.2.1"), BFD: &lb.BFDProfile{Name: "fast"}}
	other := router
	other.Name = "second"
	var p paths
	names := func(sessions ...announce.Session) (names []string) {
		for _, w := range p.watch(sessions) {
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
	p.watch([]announce.Session{other})
	if got := p.sharers("router"); !slices.Contains(got, "second") {
		t.Errorf("a failure of the path under the name that it just had concerns %v", got)
	}
	names(router, other)
	watched := p.watch([]announce.Session{troubled})
	if len(watched) != 1 || watched[0].Peer != router.Address {
		t.Errorf("a session that runs on with a problem is watched by %v", watched)
	}
	router.Distant = true
	if got := p.watch([]announce.Session{router}); got[0].MultiHop {
		t.Error("a router that was one hop away has moved away with our own address")
	}
	router.BFD = nil
	if got := names(router); len(got) != 0 {
		t.Errorf("watched without a profile: %v", got)
	}
}
