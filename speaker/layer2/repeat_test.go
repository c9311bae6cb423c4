package layer2

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/progress"
)

func TestResponder_AliveNamesTheLoopThatIsStuck(t *testing.T) {
	for _, test := range []struct {
		name  string
		begin func(*Responder) *progress.Tracker
		say   string
	}{
		{"announcements", func(r *Responder) *progress.Tracker { return &r.steps.announcing }, "announces"},
		{"conflicts", func(r *Responder) *progress.Tracker { return &r.steps.detecting }, "detects conflicts"},
		{"questions", func(r *Responder) *progress.Tracker { return &r.steps.asking }, "asks"},
		{"searches", func(r *Responder) *progress.Tracker { return &r.steps.searching }, "searches"},
		{"answers of an interface", func(r *Responder) *progress.Tracker { return &(*r.live.Load())[0].answering }, "answers on eth0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r := New(Config{})
				r.live.Store(&[]*socket{{name: "eth0"}})
				end := test.begin(r).Begin()
				time.Sleep(progress.StuckAfter)
				if err := r.Alive(); err != nil {
					t.Errorf("a slow step: %v", err)
				}
				time.Sleep(time.Second)
				if err := r.Alive(); err == nil || !strings.Contains(err.Error(), test.say) {
					t.Errorf("it says %v", err)
				}
				end(nil)
				if err := r.Alive(); err != nil {
					t.Errorf("after its end: %v", err)
				}
			})
		})
	}
}

func TestRepeat_TellsHowFarItIs(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var p progress.Tracker
		wake, block := make(chan struct{}), make(chan struct{})
		go repeat(t.Context(), &p, wake, func() time.Duration { <-block; return time.Hour })
		time.Sleep(progress.StuckAfter + time.Second)
		if p.Stuck(progress.StuckAfter) == nil {
			t.Error("a step that blocks is not noticed")
		}
		close(block)
		synctest.Wait()
		if err := p.Stuck(progress.StuckAfter); err != nil {
			t.Errorf("while it waits: %v", err)
		}
	})
}
