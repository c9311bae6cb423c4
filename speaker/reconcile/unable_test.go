package reconcile

import (
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

func TestLoop_WhatCannotBeDoneFeedsTheElection(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.untilHeld(t)
		f.layer2.unable = []layer2.Unable{{Interface: "eth0", Family: lb.IPv4, Why: "operation not permitted"}}
		f.pass(t)
		if len(f.layer2.desired) > 0 {
			t.Errorf("it is unable to answer, and is to answer for %v", f.layer2.desired)
		}
		if got := f.gossip.sent.State.Links[0].Unable; len(got) != 1 || got[0] != lb.IPv4 {
			t.Errorf("the others are told %v", f.gossip.sent.State.Links)
		}
		if got := f.ready(); got.Status != "False" || !strings.Contains(got.Message, "no IPv4 address is answered on eth0, and none is held there: operation not permitted") {
			t.Errorf("its condition says %+v", got)
		}
		f.layer2.unable = nil
		if f.untilHeld(t); f.ready().Status != "True" {
			t.Errorf("able again, its condition says %+v", f.ready())
		}
	})
}

// The docs promise that Ready says why a port that waits for 802.1X, or one without IPv6, answers nothing.
func TestLoop_SaysWhichInterfaceDoesNotAnswer(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.untilHeld(t)
		f.own = []lb.Link{{Name: "eth1", Dormant: true, MAC: "02:00:00:00:01:01", Addresses: links()[0].Addresses}}
		f.pass(t)
		if got := f.ready(); got.Status != "False" || !strings.Contains(got.Message, "no IPv4 address is answered on eth1, and none is held there: its port is dormant") {
			t.Errorf("its condition says %+v", got)
		}
		f.own = nil
		if f.untilHeld(t); f.ready().Status != "True" {
			t.Errorf("let in, its condition says %+v", f.ready())
		}
	})
}

func TestUnansweringError_NamesTheInterfaceTheFamilyAndWhatToDo(t *testing.T) {
	err := unansweringError([]announce.Unanswering{{Interface: "eth1", Family: lb.IPv6}})
	for _, part := range []string{"no IPv6 address is answered on eth1", "no link-local IPv6 address", "net.ipv6.conf.eth1.disable_ipv6", "enable IPv6"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	if err := unansweringError(nil); err != nil {
		t.Errorf("without any: %v", err)
	}
}

// Another list would be other links, and from those everything is worked out anew.
func TestAbleLinks_AreTheSameListUntilSomethingChanges(t *testing.T) {
	var able ableLinks
	all := links()
	on := func(names ...string) (unable []layer2.Unable) {
		for _, name := range names {
			unable = append(unable, layer2.Unable{Interface: name, Family: lb.IPv4, Why: "operation not permitted"})
		}
		return unable
	}
	if got := able.with(all, nil); &got[0] != &all[0] {
		t.Error("what this node is able to do changes its links")
	}
	marked := able.with(all, on("eth0"))
	if got := able.with(all, on("eth0")); &got[0] != &marked[0] {
		t.Error("the same links and failures give another list")
	}
	if len(all[0].Unable) > 0 || !slices.Equal(marked[0].Unable, []lb.Family{lb.IPv4}) {
		t.Errorf("marked as unable are %+v, and of the links that others read %+v", marked, all)
	}
	for _, test := range []struct {
		name string
		list []lb.Link
	}{
		{"other failures", able.with(all, on("eth0", "eth1"))},
		{"other links", able.with(links(), on("eth0", "eth1"))},
		{"failures again after there were none", func() []lb.Link { able.with(all, nil); return able.with(all, on("eth0")) }()},
	} {
		if &test.list[0] == &marked[0] || len(test.list[0].Unable) != 1 {
			t.Errorf("%s give the list of before, %+v", test.name, test.list)
		}
		marked = test.list
	}
}
