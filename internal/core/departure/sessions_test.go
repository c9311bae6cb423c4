package departure

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestSessions_AreUnpreferredAndThenWithdrawn(t *testing.T) {
	own, preference := lb.Community{Parts: [3]uint32{0, 64512, 1}}, uint32(300)
	attributes := &announce.Attributes{LocalPref: &preference, Prepend: 1, Communities: []lb.Community{own}}
	paths := []announce.Path{
		{Prefix: netip.MustParsePrefix("198.19.0.1/32"), Attributes: attributes},
		{Prefix: netip.MustParsePrefix("198.19.0.2/32"), Attributes: attributes},
	}
	sessions := []announce.Session{{Name: "a", Paths: paths}, {Name: "b", Paths: paths}, {Name: "none"}}

	if got := Sessions(sessions, Announcing, ""); !reflect.DeepEqual(got, sessions) {
		t.Errorf("a node that stays has %+v", got)
	}
	got := Sessions(sessions, Unpreferred, "it is cordoned")
	want := &announce.Attributes{LocalPref: new(uint32), Prepend: 1, Communities: []lb.Community{own, gracefulShutdown}}
	for i := range got {
		if got[i].Leaving != "it is cordoned" || len(got[i].Paths) != len(sessions[i].Paths) {
			t.Errorf("%+v", got[i])
		}
		for j, p := range got[i].Paths {
			if p.Prefix != paths[j].Prefix || !reflect.DeepEqual(p.Attributes, want) || p.Attributes != got[0].Paths[0].Attributes {
				t.Errorf("path %d of %s has %+v", j, got[i].Name, p.Attributes)
			}
		}
	}
	if &got[0].Paths[0] != &got[1].Paths[0] {
		t.Error("two sessions do not share their paths any more")
	}
	for _, s := range Sessions(sessions, Withdrawn, "it is cordoned") {
		if s.Leaving != "it is cordoned" || len(s.Paths) > 0 {
			t.Errorf("%+v", s)
		}
	}
	if preference != 300 || len(attributes.Communities) != 1 || len(sessions[0].Paths) != 2 || sessions[0].Leaving != "" {
		t.Error("what the sessions were has changed")
	}
}

func TestSessions_ThatRetireAreUnpreferred(t *testing.T) {
	paths := []announce.Path{{Prefix: netip.MustParsePrefix("198.19.0.1/32"), Attributes: &announce.Attributes{}}}
	got := Sessions([]announce.Session{{Name: "stays", Paths: paths}, {Name: "retires", Retiring: true, Paths: paths}}, Announcing, "")
	if len(got[0].Paths[0].Attributes.Communities) != 0 || got[0].Leaving != "" {
		t.Errorf("the one that stays has %+v", got[0])
	}
	if communities := got[1].Paths[0].Attributes.Communities; len(communities) != 1 || communities[0] != gracefulShutdown || got[1].Leaving != "" {
		t.Errorf("the one that retires has %+v", got[1])
	}
}
