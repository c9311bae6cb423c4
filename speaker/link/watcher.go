package link

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/lb"
)

const (
	// settle is the least time between two readings of the table: the first notification of a storm is followed at
	// once, the others (a node starts a hundred pods) are folded.
	settle = 20 * time.Millisecond
	// retry is the wait before another attempt when netlink itself fails.
	retry = time.Second
)

// Watcher keeps the table of this node's links. Its methods may be called by several goroutines.
type Watcher struct {
	log     *slog.Logger
	changes chan struct{}

	mu    sync.Mutex
	links []lb.Link
	known bool
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
	return w.links, w.known
}

// Changes wakes its one receiver after the table has changed. A wake carries nothing; several changes may share one.
func (w *Watcher) Changes() <-chan struct{} { return w.changes }

// Start reads the table and follows its changes until ctx ends, then returns nil. A netlink failure is logged and
// tried again; meanwhile the last table stands.
func (w *Watcher) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.follow(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("links are not followed, trying again", "error", err, "after", retry)
			pause(ctx, retry)
		}
	}
	return nil
}

// follow subscribes, and reads the table at once and after each notification, until ctx ends or netlink fails. To
// subscribe before reading means that no change can fall between the two.
func (w *Watcher) follow(ctx context.Context) error {
	news, err := subscribe()
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- news.pump() }()
	defer func() {
		news.close()
		for range news.wake { // Until the pump has ended and closed it.
		}
	}()

	for {
		if err := w.read(); err != nil {
			return err
		}
		pause(ctx, settle)
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-news.wake:
			if !ok {
				return <-failed
			}
		}
	}
}

// read takes the whole table from the kernel and wakes the receiver when it differs from the last.
func (w *Watcher) read() error {
	links, err := dump()
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	w.mu.Lock()
	changed := !w.known || !slices.EqualFunc(w.links, links, func(a, b lb.Link) bool { return reflect.DeepEqual(a, b) })
	w.links, w.known = links, true
	w.mu.Unlock()

	if changed {
		wake(w.changes)
	}
	return nil
}

// wake leaves a wake for the receiver unless one waits already.
func wake(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

// pause waits, or returns early when ctx ends.
func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
