package layer2

import (
	"context"
	"time"
)

// repeat takes steps until ctx ends: at once, whenever it is woken, and when the last step says that the next one is due.
func repeat(ctx context.Context, wake <-chan struct{}, step func() (wait time.Duration)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
		timer.Reset(step())
	}
}
