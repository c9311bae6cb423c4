package handover

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

func TestLayer2_Holders(t *testing.T) {
	shared, ok := shares.Make([]string{"n1", "n2", "n3", "n4"}, func() []byte {
		of := make([]byte, shares.Count)
		for i := range of {
			of[i] = byte(i % 4)
		}
		return of
	}())
	if !ok {
		t.Fatal("there is no such table")
	}
	by := func(node string, incarnation uint64) election.Claims {
		return election.Claims{moved: {Addr: moved, Node: node, Incarnation: incarnation}}
	}
	sharedBy := func(node string, revision uint64) election.Claims {
		return election.Claims{moved: {Addr: moved, Node: node, Incarnation: 7, Shares: shared, Revision: revision}}
	}
	for _, test := range []struct {
		name         string
		claims, made election.Claims
		here         bool
		want         []string
		revision     uint64
	}{
		{name: "nobody has claimed it"},
		{name: "another has", claims: by("n2", 7), want: []string{"n2"}},
		{name: "the process that did has ended", claims: by("n2", 6)},
		{name: "its node has died", claims: by("n4", 7)},
		{name: "its node is silent and answers", claims: by("n3", 7), want: []string{"n3"}},
		{name: "this node takes it over", claims: by("n2", 7), made: by("n1", 7), here: true, want: []string{"n1"}},
		{name: "it holds it", claims: by("n1", 7), here: true, want: []string{"n1"}},
		{name: "it has just given it up", claims: by("n1", 7), made: election.Claims{moved: {Addr: moved, Node: "n1"}}},
		{name: "an earlier process of this node held it", claims: by("n1", 6)},
		{name: "several share it, of whom one has died", claims: sharedBy("n2", 3), want: []string{"n1", "n2", "n3"}, revision: 3},
		{name: "this node divides the clients anew", claims: sharedBy("n1", 3), made: sharedBy("n1", 4), here: true, want: []string{"n1", "n2", "n3"}, revision: 4},
	} {
		l := Layer2{
			Node: "n1", Claims: test.claims, Made: test.made, Alive: map[string]uint64{"n1": 7, "n2": 7},
			Silent: []election.Silence{{Node: "n3", Addr: netip.MustParseAddr("192.0.2.201")}}, Alone: map[string][]string{},
		}
		got, revision := l.Holders(moved, test.here)
		slices.Sort(got)
		if !slices.Equal(got, test.want) || revision != test.revision {
			t.Errorf("%s: %v in revision %d, want %v in %d", test.name, got, revision, test.want, test.revision)
		}
	}
}
