package link

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/progress"
)

// retryInterval is the wait before another attempt when netlink fails.
const retryInterval = time.Second

// Watcher keeps the links and default gateways of this node up to date. Its methods may be called by several
// goroutines.
type Watcher struct {
	log     *slog.Logger
	changes chan struct{}

	steps progress.Steps

	mu sync.Mutex
	// last is the last dump; nil before the first.
	last *state
}

// New returns a Watcher that knows nothing yet: Start makes it work. A nil log means slog's default.
func New(log *slog.Logger) *Watcher {
	if log == nil {
		log = slog.Default()
	}
	return &Watcher{log: log, changes: make(chan struct{}, 1)}
}

// Links returns the links of this node in order of name, and false before the first dump. The slice and what it refers
// to is shared and never changed: read only.
func (w *Watcher) Links() ([]lb.Link, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		return nil, false
	}
	return w.last.links, true
}

// Gateways returns the next hops of the default routes in the main table, and in those of VRFs after it, that lead to a
// neighbor, and false before the first dump. IPv4 comes first, then they are in order of metric, and of the routers' preference
// (RFC 4191) where the metric is the same; a multipath route has several. An
// IPv6 router that is the next hop of an IPv4 route (RFC 8950) is one of the IPv6 gateways, after those of the IPv6 routes. The slice
// is shared and never changed: read only.
func (w *Watcher) Gateways() ([]lb.Gateway, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		return nil, false
	}
	return w.last.gateways, true
}

// Changes wakes its one receiver after links or gateways have changed. A wake carries nothing; several changes may
// share one.
func (w *Watcher) Changes() <-chan struct{} { return w.changes }

// Alive returns an error when a dump does not come to its end.
func (w *Watcher) Alive() error { return w.steps.Stuck(progress.StuckAfter) }

// Start dumps links, addresses and routes and follows their changes until ctx ends, then returns nil. A netlink failure
// is logged and tried again; meanwhile the last dump remains valid.
func (w *Watcher) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := Subscribe(ctx, w.read); err != nil && ctx.Err() == nil {
			w.log.Warn("links are not followed, trying again", "error", err, "after", retryInterval)
			sleep(ctx, retryInterval)
		}
	}
	return nil
}

// read makes a dump and wakes the receiver of Changes if it differs from the last one.
func (w *Watcher) read() error {
	defer w.steps.Begin("reads links and routes")()
	now, err := dump()
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	w.mu.Lock()
	changed := !reflect.DeepEqual(w.last, &now)
	w.last = &now
	w.mu.Unlock()

	if changed {
		notify(w.changes)
	}
	return nil
}
