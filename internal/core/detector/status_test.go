package detector

import (
	"fmt"
	"testing"
	"time"
)

func TestDetector_StatusFollowsWhatHappens(t *testing.T) {
	d := New("self", fast)
	if _, known := d.Peer("a"); known || d.TakeChanged() {
		t.Error("a peer is known before anything happened")
	}
	for i, step := range []struct {
		what      string
		happens   func()
		want      string // alive, listed, left, observed, suspected
		reachable bool
	}{
		{"mentioned", func() { d.Mentioned(begins, "a", 1) }, "false false false false false", false},
		{"listed", func() { d.Listed(begins, "a", 1, true) }, "true true false false false", true},
		{"answers", func() { d.Tick(begins); d.Heard(begins, "a", 1, true) }, "true true false true false", true},
		{"silent", func() {
			for at := 50 * ms; at <= 150*ms; at += 12 * ms {
				d.Tick(begins.Add(at))
				d.TakePings(begins.Add(at))
			}
		}, "false true false true true", true},
		{"left", func() { d.Left(begins.Add(time.Second), "a", 1) }, "false true true false false", false},
	} {
		step.happens()
		s, _ := d.Peer("a")
		if got := fmt.Sprint(s.Alive, s.Listed, s.Left, s.Observed, s.Suspected); got != step.want || s.Reachable() != step.reachable {
			t.Errorf("step %d, %s: %s, reachable is %v", i, step.what, got, s.Reachable())
		}
		if changed := d.TakeChanged(); changed == (step.what == "answers") {
			t.Errorf("step %d, %s: changed is %v", i, step.what, changed)
		}
		if d.TakeChanged() {
			t.Errorf("step %d, %s: it is changed twice", i, step.what)
		}
	}
}

func TestDetector_PeersAreInOrderOfName(t *testing.T) {
	d := New("m", fast)
	for _, name := range []string{"x", "a", "m", "n", "b"} {
		d.Listed(begins, name, 1, true)
	}
	var got string
	for name := range d.Peers() {
		got += name
	}
	if got != "abnx" {
		t.Errorf("got %s", got)
	}
}
