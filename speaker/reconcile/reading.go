package reconcile

import (
	"context"
	"sync/atomic"
)

// reading reads the objects of the cluster when a pass is due to an event of one. The passes between, as when a node crashes, get what
// was read last: it is no older than the pace of events allows, and neither ten thousand objects nor what follows from them are
// looked at again.
type reading struct {
	read func(ctx context.Context) (*snapshot, error)
	// stale: an object may have changed since the last time.
	stale atomic.Bool
	last  *snapshot
	count uint64
}

// next returns a snapshot that the caller may fill in.
func (r *reading) next(ctx context.Context) (*snapshot, error) {
	stale := r.stale.Swap(false) || r.last == nil
	if stale {
		seen, err := r.read(ctx)
		if err != nil {
			r.stale.Store(true)
			return nil, err
		}
		r.count++
		seen.world.Reading = r.count
		r.last = seen
	}
	seen := *r.last
	seen.again = !stale
	return &seen, nil
}
