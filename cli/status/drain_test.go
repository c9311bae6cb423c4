package status

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/status"
)

func TestDrain_SaysWhyNobodySaysThatANodeMayBeStopped(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	until := metav1.NewTime(now.Add(time.Minute))
	left := view.DrainLine{
		Drained: true, SafeToStop: metav1.ConditionFalse, Reason: status.ConnectionsLeft.Name, Connections: 7, Addresses: 2, Until: &until,
	}
	as := func(l view.DrainLine, silent view.DrainSilence) view.DrainLine { l.Silent = silent; return l }
	asked := view.DrainLine{Drained: true, SafeToStop: metav1.ConditionUnknown}
	stopped := view.DrainLine{Drained: true, SafeToStop: metav1.ConditionTrue, Reason: status.NothingLeft.Name}
	for _, test := range []struct {
		name string
		line view.DrainLine
		want string
	}{
		{"an earlier version", asked, "is drained, and its speaker does not say whether it may be stopped"},
		{"no node", as(asked, view.SilentNode), "is no node of the cluster any more: there is nothing to wait for"},
		{"no speaker", as(asked, view.SilentNoSpeaker), "is drained, and has no Speaker object, so that nobody says whether it may be stopped: " +
			"look at the speaker's Pod on the node; where none is meant to run, there is nothing to wait for"},
		{"a speaker that is gone", as(asked, view.SilentSpeakerGone), "is drained, and its speaker is gone, so that nobody says whether it may be stopped: " +
			"look at the speaker's Pod on the node"},
		{"a node that is down", as(asked, view.SilentNotReady), "is not ready, and what its speaker said is perhaps old: if the node is off, there is nothing to wait for"},
		{"connections on a node that is down", as(left, view.SilentNotReady), "is not ready, and what its speaker said is perhaps old, " +
			"7 connections to 2 addresses left, for 60s at most: if the node is off, there is nothing to wait for"},
		{"a node that is down and may be stopped", as(stopped, view.SilentNotReady), "may be stopped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Drain(&test.line, now); got != test.want {
				t.Errorf("it %s", got)
			}
		})
	}
}
