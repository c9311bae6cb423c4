package reconcile

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/core/status"
)

func TestConnectionsCondition(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.draining = time.Minute
		f.untilSettled(t)
		for _, why := range []string{"", "there is no nf_tables", ""} {
			f.connections.unable = why
			f.pass(t)
			c := meta.FindStatusCondition(f.reporter.newest.conditions, v1beta1.ConditionConnectionsBreak)
			if c == nil || (c.Status == "True") != (why != "") || !strings.Contains(c.Message, why) {
				t.Errorf("with %q: %+v", why, c)
			}
			if said := f.gossip.sent.State.PassesOn; said != (why == "") {
				t.Errorf("with %q it tells the others that it passes on: %t", why, said)
			}
			f.connections.only = lb.IPv4
			f.pass(t)
			if said := f.gossip.sent.State.PassesOnly; said != lb.IPv4 {
				t.Errorf("with %q it tells the others that it passes on packets of %s alone", why, said)
			}
			c = meta.FindStatusCondition(f.reporter.newest.conditions, v1beta1.ConditionConnectionsBreak)
			if says := strings.Contains(c.Message, "those to IPv4 addresses are passed on"); says != (why != "") {
				t.Errorf("with %q for IPv6 alone: %+v", why, c)
			}
			f.connections.only = 0
		}
	})
}

// What an earlier process has said stays until it is known again: in a cluster of racks each restart would else say for a while that nothing breaks.
func TestConnectionsCondition_IsLeftAsItIsUntilItIsKnown(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.draining, f.connections.unsure = time.Minute, true
		expect := func(when string, want metav1.ConditionStatus) {
			t.Helper()
			if c := f.condition(v1beta1.ConditionConnectionsBreak); c.Status != want {
				t.Errorf("%s: %+v", when, c)
			}
		}
		f.pass(t)
		expect("it has just started", "")
		f.untilSettled(t)
		f.pass(t)
		expect("it knows the others, and kube-proxy may be starting", "")
		f.connections.unsure = false
		f.pass(t)
		expect("it knows all", metav1.ConditionFalse)
		f.connections.unsure, f.connections.unable = true, "there is no nf_tables"
		f.pass(t)
		expect("a reason is known", metav1.ConditionTrue)
	})
}

// Where this node can pass on, but not to some others, it says to which, if connections are to be passed on at all.
func TestConnectionsCondition_NamesNodesWithoutASharedSegment(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.draining, f.drainingByBGP = time.Minute, time.Minute
		f.addNeighbor()
		n2 := f.gossip.view.Peers["n2"]
		n2.State.Links[0].Addresses = []netip.Prefix{netip.MustParsePrefix("198.51.100.12/24")}
		f.claim(1)
		f.untilSettled(t)
		f.pass(t)
		n2.State.Leaving = true
		f.gossip.view.Peers["n2"] = n2
		f.untilHeld(t)
		f.pass(t)
		if c := f.condition(v1beta1.ConditionConnectionsBreak); c.Status != metav1.ConditionTrue || c.Reason != status.NoSharedSegment.Name || !strings.Contains(c.Message, "IPv4 addresses and n2") {
			t.Errorf("n2 is on another segment: %+v", c)
		}
		f.connections.refused = []string{"192.0.2.13 is behind a router, not on a segment of this node"}
		f.pass(t)
		if c := f.condition(v1beta1.ConditionConnectionsBreak); !strings.Contains(c.Message, "IPv4 addresses and n2; those to other nodes by the routes of this one: 192.0.2.13 is behind a router") {
			t.Errorf("n3 is behind a router: %+v", c)
		}
		f.draining, f.drainingByBGP = 0, 0
		f.pass(t)
		if c := f.condition(v1beta1.ConditionConnectionsBreak); c.Status != metav1.ConditionFalse {
			t.Errorf("and nothing is to be passed on: %+v", c)
		}
	})
	many := []string{"n1", "n2", "n3", "n4", "n5", "n6", "n7"}
	if got, want := apartText(handover.Apart{IPv4: many[:1], IPv6: many}, nil), "those to IPv4 addresses and n1; those to IPv6 addresses and n1, n2, n3, n4, n5 and 2 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whoever has turned it off for all advertisements is told nothing; one that wants it is enough.
func TestConnectionsCondition_WhereItIsTurnedOff(t *testing.T) {
	for _, test := range []struct {
		layer2, bgp time.Duration
		want        metav1.ConditionStatus
	}{{0, 0, metav1.ConditionFalse}, {time.Minute, 0, metav1.ConditionTrue}, {0, time.Minute, metav1.ConditionTrue}} {
		inTime(t, func(t *testing.T, f *fixture) {
			f.draining, f.drainingByBGP, f.connections.unable = test.layer2, test.bgp, "there is no nf_tables"
			f.pass(t)
			if c := f.condition(v1beta1.ConditionConnectionsBreak); c.Status != test.want {
				t.Errorf("by layer 2 for %s, by BGP for %s: %+v", test.layer2, test.bgp, c)
			}
		})
	}
}

// Rules that kube-proxy has left behind look like those of one that works. That none answers anywhere tells, where something is there that
// serves Services in its place; a kube-proxy that has died is no such thing, nor one that cannot be found.
func TestConnectionsCondition_RulesThatAreLeftOver(t *testing.T) {
	for _, test := range []struct {
		name    string
		check   proxyhealth.Check
		works   bool // and kube-proxy had worked on this node
		beside  string
		expects string
	}{
		{"none answers, and Cilium is there", proxyhealth.Absent, false, "Cilium", "Cilium is there"},
		{"the one that was there does not answer, and Cilium is there", proxyhealth.Absent, true, "Cilium", "Cilium is there"},
		{"it works beside Cilium", proxyhealth.Working, true, "Cilium", ""},
		{"it has died", proxyhealth.Absent, true, "", ""},
		{"it answers elsewhere", proxyhealth.Absent, false, "", ""},
		{"it is not asked", proxyhealth.Off, false, "Cilium", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, func(t *testing.T, f *fixture) {
				f.connections.beside, f.draining = test.beside, time.Minute
				if test.works {
					f.proxy.Check = proxyhealth.Working
					f.pass(t)
				}
				f.proxy.Check = test.check
				for range 20 {
					f.pass(t)
					time.Sleep(time.Second)
				}
				f.pass(t)
				c := f.condition(v1beta1.ConditionConnectionsBreak)
				if (c.Status == metav1.ConditionTrue) != (test.expects != "") || !strings.Contains(c.Message, test.expects) {
					t.Errorf("it says %+v", c)
				}
				if !f.gossip.sent.State.PassesOn {
					t.Error("it tells the others that it does not pass on, for a sign")
				}
			})
		})
	}
}

// What no node passes on breaks whether the node waits or not, so it is not named as left.
func TestConnectionsStatus_WhatNobodyPassesOnIsNotLeft(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.200"), netip.MustParseAddr("192.0.2.201")
	for _, test := range []struct {
		name           string
		left, stranded []netip.Addr
		want           *v1beta1.SpeakerDraining
	}{
		{"one of two is passed on", []netip.Addr{a, b}, []netip.Addr{a}, &v1beta1.SpeakerDraining{Connections: 4, Addresses: 1}},
		{"none is", []netip.Addr{a, b}, []netip.Addr{a, b}, nil},
		{"both are", []netip.Addr{a, b}, nil, &v1beta1.SpeakerDraining{Connections: 7, Addresses: 2}},
	} {
		m := connections{decision: handover.Decision{
			Left: test.left, Stranded: test.stranded, Until: make([]time.Time, 2), Plan: handover.Plan{Counted: []handover.Counted{{Addr: a}, {Addr: b}}},
		}}
		got := m.status(map[netip.Addr]int{a: 3, b: 4})
		switch {
		case got == nil || test.want == nil:
			if got != test.want {
				t.Errorf("%s: it says %+v", test.name, got)
			}
		case got.Connections != test.want.Connections || got.Addresses != test.want.Addresses || len(got.List) != int(test.want.Addresses):
			t.Errorf("%s: it says %+v", test.name, got)
		}
	}
}
