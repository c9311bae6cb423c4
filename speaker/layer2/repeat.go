package layer2

import (
	"context"
	"fmt"
	"time"

	"github.com/daymark-lb/daymark/internal/progress"
)

// steps are how far the loops of a Responder are.
type steps struct{ announcing, detecting, asking, searching progress.Tracker }

// Alive returns an error when a step of one of the loops does not come to its end: then only a restart helps.
func (r *Responder) Alive() error {
	for name, p := range map[string]*progress.Tracker{
		"announces": &r.steps.announcing, "detects conflicts": &r.steps.detecting, "asks": &r.steps.asking, "searches": &r.steps.searching,
	} {
		if err := p.Stuck(progress.StuckAfter); err != nil {
			return fmt.Errorf("layer 2, what %s: %w", name, err)
		}
	}
	for _, s := range *r.live.Load() {
		if err := s.answering.Stuck(progress.StuckAfter); err != nil {
			return fmt.Errorf("layer 2, what answers on %s: %w", s.name, err)
		}
	}
	return nil
}

// repeat takes steps until ctx ends: at once, whenever it is woken, and when the last step says that the next one is due.
func repeat(ctx context.Context, p *progress.Tracker, wake <-chan struct{}, step func() (wait time.Duration)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
		end := p.Begin()
		timer.Reset(step())
		end(nil)
	}
}
