package loop

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress_Stuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Progress
		time.Sleep(time.Hour)
		if err := p.Stuck(); err != nil {
			t.Errorf("a loop with nothing to do: %v", err)
		}
		end := p.Begin()
		time.Sleep(stuckAfter)
		if err := p.Stuck(); err != nil {
			t.Errorf("a slow pass: %v", err)
		}
		time.Sleep(time.Second)
		if p.Stuck() == nil {
			t.Error("a pass that does not end is not noticed")
		}
		end(errors.New("no"))
		if ended, err := p.Last(); p.Stuck() != nil || !ended.IsZero() || err == nil {
			t.Errorf("after its end: %v, ended at %v", err, ended)
		}
		p.Begin()(nil)
		if ended, err := p.Last(); err != nil || !ended.Equal(time.Now()) {
			t.Errorf("after a good one: %v, ended at %v", err, ended)
		}
	})
}
