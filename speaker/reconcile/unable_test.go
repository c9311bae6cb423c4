package reconcile

import (
	"strings"
	"testing"

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
