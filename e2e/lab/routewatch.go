package lab

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// RouteChange is what the next hops in the router's kernel became, by the names of the nodes, and when.
type RouteChange struct {
	At       time.Time
	NextHops []string
}

// RouteWatcher looks every 5 ms where the router's kernel forwards a prefix, and remembers each change.
type RouteWatcher struct {
	router *Router
	stop   context.CancelFunc
	done   sync.WaitGroup

	changes []RouteChange
	err     error
}

// Watch starts to look at the next hops for exactly this prefix; an address stands for itself alone. The test's end stops it.
func (r *Router) Watch(prefix string) *RouteWatcher {
	r.c.t.Helper()
	want, err := parsePrefix(prefix)
	r.c.must("read the prefix", err)
	ctx, cancel := context.WithCancel(context.Background())
	w := &RouteWatcher{router: r, stop: cancel}
	r.c.t.Cleanup(func() { w.Stop() })
	w.done.Go(func() { w.err = w.look(ctx, r, want) })
	return w
}

func (w *RouteWatcher) look(ctx context.Context, r *Router, prefix netip.Prefix) error {
	tick := time.NewTicker(Poll)
	defer tick.Stop()
	for {
		hops, err := r.nextHops(prefix)
		if err != nil {
			return err
		}
		names := []string{}
		for _, hop := range hops {
			names = append(names, r.c.NodeAt(hop))
		}
		if last := len(w.changes) - 1; last < 0 || !slices.Equal(w.changes[last].NextHops, names) {
			w.changes = append(w.changes, RouteChange{time.Now(), names})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Stop ends it and gives the changes in their order: the first is what there was at the beginning.
func (w *RouteWatcher) Stop() []RouteChange {
	w.router.c.t.Helper()
	w.stop()
	w.done.Wait()
	w.router.c.must("watch the router's routes", w.err)
	return w.changes
}
