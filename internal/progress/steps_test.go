package progress

import (
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/bubble"
)

func TestSteps_NameTheOneThatIsStuck(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var s Steps
		endReads := s.Begin("reads")
		time.Sleep(StuckAfter)
		endWrites := s.Begin("writes")
		if err := s.Stuck(StuckAfter); err != nil {
			t.Errorf("a slow step: %v", err)
		}
		time.Sleep(time.Second)
		if err := s.Stuck(StuckAfter); err == nil || !strings.Contains(err.Error(), "what reads has been at one step for 31s") {
			t.Errorf("a step that does not end: %v", err)
		}
		endReads()
		if err := s.Stuck(StuckAfter); err != nil {
			t.Errorf("after its end: %v", err)
		}
		again := s.Begin("writes") // Of two loops that do the same, one ends.
		again()
		time.Sleep(StuckAfter)
		if err := s.Stuck(StuckAfter); err == nil || !strings.Contains(err.Error(), "what writes has been at one step for 31s") {
			t.Errorf("the one that did not end: %v", err)
		}
		endWrites()
		time.Sleep(time.Hour)
		if err := s.Stuck(StuckAfter); err != nil {
			t.Errorf("nothing to do: %v", err)
		}
	})
}
