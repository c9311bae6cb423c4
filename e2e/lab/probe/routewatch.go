package probe

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// RouteChange is what the next hops in the router's kernel became, by the names of the nodes, and when.
type RouteChange struct {
	At       time.Time
	NextHops []string
}

// RouteWatcher looks every 5 ms where the router's kernel forwards a prefix, and remembers each change.
type RouteWatcher struct {
	t    check.T
	stop context.CancelFunc
	done sync.WaitGroup

	changes []RouteChange
	err     error
}

// WatchRoutes starts to look; nextHops returns the names of the nodes that are next hops now. The test's end stops it.
func WatchRoutes(t check.T, nextHops func() ([]string, error)) *RouteWatcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &RouteWatcher{t: t, stop: cancel}
	t.Cleanup(func() { w.Stop() })
	w.done.Go(func() { w.err = w.look(ctx, nextHops) })
	return w
}

func (w *RouteWatcher) look(ctx context.Context, nextHops func() ([]string, error)) error {
	tick := time.NewTicker(check.Poll)
	defer tick.Stop()
	for ended := false; ; {
		names, err := nextHops()
		if err != nil {
			return err
		}
		if last := len(w.changes) - 1; last < 0 || !slices.Equal(w.changes[last].NextHops, names) {
			w.changes = append(w.changes, RouteChange{time.Now(), names})
		}
		if ended {
			return nil
		}
		select {
		case <-ctx.Done():
			ended = true // After a last look: who ends it has perhaps just seen a change.
		case <-tick.C:
		}
	}
}

// Stop ends it and gives the changes in their order: the first is what there was at the beginning.
func (w *RouteWatcher) Stop() []RouteChange {
	w.t.Helper()
	w.stop()
	w.done.Wait()
	check.Must(w.t, "watch the router's routes", w.err)
	return w.changes
}
