package reconcile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// One text that does not fit would have every write of the object refused.
func TestStatus_ConditionsFitIntoTheObject(t *testing.T) {
	long := strings.Repeat("port 30001 is taken; ", 10_000)
	for _, c := range []metav1.Condition{
		readyCondition(errors.New(long), ""),
		membershipCondition(true, gossip.View{Known: true, Why: long}, nil),
	} {
		if len(c.Message) != maxMessage {
			t.Errorf("%s has a message of %d characters", c.Type, len(c.Message))
		}
	}
}

func TestStatus_SessionIsActiveSinceItWasEstablishedLast(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	var inactive map[string]time.Time
	for _, step := range []struct {
		state v1beta1.BGPSessionState
		since int64
		want  v1beta1.BGPSessionState
		at    int64
	}{
		{v1beta1.BGPActive, 1, v1beta1.BGPActive, 1},
		{"Connect", 2, v1beta1.BGPActive, 1},
		{v1beta1.BGPEstablished, 3, v1beta1.BGPEstablished, 3},
		{"Connect", 4, v1beta1.BGPActive, 4},
	} {
		sessions := []bgp.Status{{Name: "router", State: step.state, Since: at(step.since)}}
		inactive = inactiveSince(inactive, sessions)
		if got := bgpStatus(sessions, inactive, nil)[0]; got.State != step.want || !got.Since.Time.Equal(at(step.at)) {
			t.Errorf("%s since %d is reported as %s since %v", step.state, step.since, got.State, got.Since)
		}
	}
}

func TestStatus_SaysWhenASessionIsTriedAgain(t *testing.T) {
	next := time.Unix(100, 7)
	sessions := []bgp.Status{{Name: "shut", State: v1beta1.BGPActive, NextTry: next}, {Name: "up", State: v1beta1.BGPEstablished}}
	got := bgpStatus(sessions, nil, nil)
	if !got[0].NextTry.Time.Equal(next.Truncate(time.Second)) || !got[1].NextTry.IsZero() {
		t.Errorf("next tries %v and %v", got[0].NextTry, got[1].NextTry)
	}
}

func TestUnheldError_NamesAFew(t *testing.T) {
	texts := make([]string, 10_000)
	for i := range texts {
		texts[i] = fmt.Sprintf("address %d is held by no node", i)
	}
	if got := unheldError(texts).Error(); len(got) > 1000 || !strings.HasSuffix(got, "; and so are 9995 more") {
		t.Errorf("it says %q", got)
	}
	if got := unheldError(texts[:1]).Error(); got != texts[0] {
		t.Errorf("of one it says %q", got)
	}
	if got := unheldError(nil); got != nil {
		t.Errorf("of none it says %q", got)
	}
}

// Whoever waits for SafeToStop has to know whether it is of the time before the drain. The first report that says that the node is drained is
// about what was done for it.
func TestStatus_SaysWhetherTheNodeIsDrained(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.draining = time.Minute
		f.untilHeld(t)
		for _, f.drained = range []bool{false, true} {
			f.pass(t)
			said := f.reporter.newest.Status
			if said.Drained == nil || *said.Drained != f.drained || (len(f.layer2.desired) == 0) != f.drained {
				t.Errorf("drained: %t, and it says %v, and holds %v", f.drained, said.Drained, f.layer2.desired)
			}
		}
	})
}
