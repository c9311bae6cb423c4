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

	// readDump reads everything, the routes included.
	readDump func() (dump, error)

	mu sync.Mutex
	// dump is the last one, its links perhaps newer than its routes, and began when reading it began; zero before the first. links is when
	// reading its links began.
	dump         dump
	began, links time.Time
	// last is what it says; nil before the first.
	last *state
}

// New returns a Watcher that knows nothing yet: Start makes it work. A nil log means slog's default.
func New(log *slog.Logger) *Watcher {
	if log == nil {
		log = slog.Default()
	}
	return &Watcher{log: log, changes: make(chan struct{}, 1), readDump: readDump}
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
		if err := subscribe(ctx, w.read, w.readLinks); err != nil && ctx.Err() == nil {
			w.log.Warn("links are not followed, trying again", "error", err, "after", retryInterval)
			sleep(ctx, retryInterval)
		}
	}
	return nil
}

// read makes a dump and wakes the receiver of Changes if what it says differs from the last one.
func (w *Watcher) read() error {
	defer w.steps.Begin("reads links and routes")()
	began := time.Now()
	now, err := w.readDump()
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	var up []int
	defer func() { w.askAnew(up) }() // when it is unlocked
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.links.After(began) {
		now.links, now.addrs = w.dump.links, w.dump.addrs // They were read while the routes were.
	} else {
		w.links = began
	}
	w.dump, w.began = now, began
	up = w.publish()
	return nil
}

// readLinks reads the links and their addresses alone, unless a whole dump has done that since they have changed: one of a full routing
// table takes long, and is rested from for longer. The routes are those of the last dump meanwhile.
func (w *Watcher) readLinks(changed time.Time) error {
	w.mu.Lock()
	done := w.last == nil || !w.began.Before(changed)
	w.mu.Unlock()
	if done {
		return nil
	}
	defer w.steps.Begin("reads links")()
	began := time.Now()
	var now dump
	err := consistently(func() (err error) {
		now.links, now.addrs, err = readLinks()
		return err
	})
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	var up []int
	defer func() { w.askAnew(up) }() // when it is unlocked
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.links.Before(began) {
		w.dump.links, w.dump.addrs, w.links = now.links, now.addrs, began
		up = w.publish()
	}
	return nil
}

// publish brings what the dump says up to date, wakes the receiver of Changes if it differs, and returns the links that have come up. The
// caller holds mu.
func (w *Watcher) publish() (up []int) {
	now := w.dump.state()
	if reflect.DeepEqual(w.last, &now) {
		return nil
	}
	if w.last != nil {
		up = cameUp(w.last.links, now.links)
	}
	w.last = &now
	notify(w.changes)
	return up
}

// askAnew has the kernel ask anew for the neighbors on links that have come up.
func (w *Watcher) askAnew(links []int) {
	for _, index := range links {
		if err := forgetUnresolved(index); err != nil {
			w.log.Debug("neighbors of a link that has come up are asked for late", "index", index, "error", err)
		}
	}
}
