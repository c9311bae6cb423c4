package link

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// retry is the wait before another attempt when netlink itself fails.
const retry = time.Second

// Watcher keeps the table of this node's links and of its default gateways. Its methods may be called by several goroutines.
type Watcher struct {
	log     *slog.Logger
	changes chan struct{}

	mu sync.Mutex
	// last reading; nil before the first.
	last *known
}

// New returns a Watcher that knows nothing yet: Start makes it work. A nil log means slog's default.
func New(log *slog.Logger) *Watcher {
	if log == nil {
		log = slog.Default()
	}
	return &Watcher{log: log, changes: make(chan struct{}, 1)}
}

// Links returns the links of this node in order of name, and false before they have been read once. The slice and what
// it holds is shared and never written again: read only.
func (w *Watcher) Links() ([]lb.Link, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		return nil, false
	}
	return w.last.links, true
}

// Gateways returns the next hops of this node's default routes, and false before they have been read once: those of the
// main table that lead to a neighbor, IPv4 first, in the order of their metrics and with all next hops of a multipath
// route. Link-local ones have the name of their link as zone. An IPv6 router that IPv4 is routed by (RFC 5549) is one
// of the IPv6 gateways, behind those of the IPv6 routes. The slice is shared and never written again: read only.
func (w *Watcher) Gateways() ([]netip.Addr, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		return nil, false
	}
	return w.last.gateways, true
}

// Changes wakes its one receiver after links or gateways have changed. A wake carries nothing; several changes may share one.
func (w *Watcher) Changes() <-chan struct{} { return w.changes }

// Start reads the tables and follows their changes until ctx ends, then returns nil. A netlink failure is logged and
// tried again; meanwhile the last reading stands.
func (w *Watcher) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := Follow(ctx, w.read); err != nil && ctx.Err() == nil {
			w.log.Warn("links are not followed, trying again", "error", err, "after", retry)
			pause(ctx, retry)
		}
	}
	return nil
}

// read takes the whole tables from the kernel and wakes the receiver when they differ from the last.
func (w *Watcher) read() error {
	now, err := dump()
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	w.mu.Lock()
	changed := !reflect.DeepEqual(w.last, &now)
	w.last = &now
	w.mu.Unlock()

	if changed {
		wake(w.changes)
	}
	return nil
}
