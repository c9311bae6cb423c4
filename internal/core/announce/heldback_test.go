package announce

import (
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestHeldBack_NoRouteGoesOutWithoutWhatWasAskedFor(t *testing.T) {
	asks := func(name string, communities ...string) *lb.BGPAdvertisement {
		return bgpAdvertisement(name, 5, func(s *v1beta1.BGPAdvertisementSpec) { s.Communities = communities })
	}
	aggregate := asks("aggregate", "no_export")
	aggregate.AggregationLength = 24
	elsewhere := asks("elsewhere", "no_export")
	elsewhere.Peers = []string{"another"}
	const held = "198.19.0.1: no route goes out without its communities; BGPAdvertisement bad is held back: no_export is no community: did you mean no-export?"
	for _, test := range []struct {
		name, addr   string
		with         []*lb.BGPAdvertisement
		paths        string
		reason, says string
	}{
		{"all that it asks for is known", "198.19.0.1", []*lb.BGPAdvertisement{asks("good", "no-export")}, "198.19.0.1/32", "Announced", "by BGP (good)"},
		{"one community is unknown", "198.19.0.1", []*lb.BGPAdvertisement{asks("bad", "64512:1", "no_export")}, "", "HeldBack", held},
		{"another advertisement of the same prefix is fine", "198.19.0.1", []*lb.BGPAdvertisement{asks("bad", "no_export"), asks("good")}, "", "HeldBack", held},
		{
			"another of a longer prefix is fine", "198.19.0.1",
			[]*lb.BGPAdvertisement{aggregate, asks("good")},
			"198.19.0.1/32", "Announced",
			"198.19.0.1 by BGP (good); BGPAdvertisement aggregate is held back: no_export",
		},
		{
			"the one that is held back is for another router", "198.19.0.1",
			[]*lb.BGPAdvertisement{elsewhere, asks("good")},
			"198.19.0.1/32", "Announced",
			"; BGPAdvertisement elsewhere is held back",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := cluster()
			s := w.add("web", test.addr, everyNode...)
			w.BGPAdvertisements = test.with
			var paths []string
			for _, path := range Compute(w).Sessions[0].Paths {
				paths = append(paths, path.Prefix.String())
			}
			if got := strings.Join(paths, " "); got != test.paths {
				t.Errorf("announced: %q, want %q", got, test.paths)
			}
			if got := NewExplainer(w).Explain(s); got.Reason != test.reason || !strings.Contains(got.Message, test.says) {
				t.Errorf("explained as %s: %s, want %s: %s", got.Reason, got.Message, test.reason, test.says)
			}
		})
	}
}

// An advertisement with a typing error that comes later withdraws nothing of what others announce, and what comes after it waits.
func TestHeldBack_WhatRanBeforeGoesOn(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for _, test := range []struct {
		name                  string
		good, service, shares time.Duration // how long before the bad one they came; shares: another Service at the address
		length                int32         // of the prefix of both
		paths                 string
	}{
		{"all are older", time.Hour, time.Hour, 0, 32, "198.19.0.1/32"},
		{"and aggregate", time.Hour, time.Hour, 0, 24, "198.19.0.0/24"},
		{"the Service came later", time.Hour, -time.Hour, 0, 32, ""},
		{"the good advertisement came later", -time.Hour, time.Hour, 0, 32, ""},
		{"both advertisements came together", 10 * time.Second, time.Hour, 0, 32, ""},
		{"a Service came later that shares the address", time.Hour, time.Hour, -time.Hour, 32, "198.19.0.1/32"},
		{"a Service came later that shares the prefix", time.Hour, time.Hour, -time.Hour, 24, "198.19.0.0/24"},
	} {
		w := cluster()
		s := w.add("web", "198.19.0.1", everyNode...)
		s.Created = now.Add(-test.service)
		if test.shares != 0 {
			w.add("shares", "198.19.0.1", everyNode...).Created = now.Add(-test.shares)
		}
		good := bgpAdvertisement("good", 5, func(s *v1beta1.BGPAdvertisementSpec) { s.Communities = []string{"64512:1"} })
		bad := bgpAdvertisement("bad", 5, func(s *v1beta1.BGPAdvertisementSpec) { s.Communities = []string{"no_export"} })
		good.Created, bad.Created = now.Add(-test.good), now
		good.AggregationLength, bad.AggregationLength = int(test.length), int(test.length)
		w.BGPAdvertisements = []*lb.BGPAdvertisement{good, bad}
		var paths []string
		for _, path := range Compute(w).Sessions[0].Paths {
			paths = append(paths, path.Prefix.String())
			if len(path.Attributes.Communities) != 1 {
				t.Errorf("%s: communities %v", test.name, path.Attributes.Communities)
			}
		}
		if got := strings.Join(paths, " "); got != test.paths {
			t.Errorf("%s: announced is %q", test.name, got)
		}
		want := "Announced"
		if test.paths == "" {
			want = "HeldBack"
		}
		if got := NewExplainer(w).Explain(s); got.Reason != want {
			t.Errorf("%s: explained as %s: %s", test.name, got.Reason, got.Message)
		}
	}
}

func TestSessions_BFDProfileThatIsGone(t *testing.T) {
	w := cluster()
	w.Peers[0].BFDProfile = "fast"
	if got := Compute(w).Sessions[0]; got.Problem != "" || got.BFD == nil || got.BFD.DetectMultiplier != 3 {
		t.Errorf("never known: problem %q, BFD %+v, want the default parameters", got.Problem, got.BFD)
	}
	accepted := &lb.BFDProfile{Name: "fast", DetectMultiplier: 9}
	w.Peers[0].AcceptedBFD = accepted
	if got := Compute(w).Sessions[0]; got.Problem != "" || got.BFD != accepted {
		t.Errorf("known before: problem %q, BFD %+v, want that", got.Problem, got.BFD)
	}
	w.Peers[0].AcceptedBFD, w.Peers[0].BFDStrict = nil, true
	if got := Compute(w).Sessions[0]; !got.BFDStrict {
		t.Error("a new peer does not wait for BFD")
	}
	w.Peers[0].Accepted = &lb.Peer{}
	if got := Compute(w).Sessions[0]; got.BFDStrict {
		t.Error("a peer that did not wait for BFD does, with a profile that never was there")
	}
	w.Peers[0].Accepted.BFDStrict = true
	if got := Compute(w).Sessions[0]; !got.BFDStrict {
		t.Error("a peer that waited for BFD does not any more")
	}
	exists := &lb.BFDProfile{Name: "fast", DetectMultiplier: 5}
	w.BFDProfiles = map[string]*lb.BFDProfile{"fast": exists}
	if got := Compute(w).Sessions[0]; got.BFD != exists {
		t.Errorf("there again: BFD %+v", got.BFD)
	}
}
