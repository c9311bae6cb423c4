package progress

import (
	"errors"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/bubble"
)

func TestTracker_Stuck(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const limit = 30 * time.Second
		var p Tracker
		time.Sleep(time.Hour)
		if err := p.Stuck(limit); err != nil {
			t.Errorf("a loop with nothing to do: %v", err)
		}
		end := p.Begin()
		time.Sleep(limit)
		if err := p.Stuck(limit); err != nil {
			t.Errorf("a slow pass: %v", err)
		}
		time.Sleep(time.Second)
		if p.Stuck(limit) == nil {
			t.Error("a pass that does not end is not noticed")
		}
		end(errors.New("no"))
		if ended, err := p.Last(); p.Stuck(limit) != nil || !ended.IsZero() || err == nil {
			t.Errorf("after its end: %v, ended at %v", err, ended)
		}
		p.Begin()(nil)
		if ended, err := p.Last(); err != nil || !ended.Equal(time.Now()) {
			t.Errorf("after a good one: %v, ended at %v", err, ended)
		}
	})
}
