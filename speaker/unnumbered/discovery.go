package unnumbered

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/speaker/link"
)

// lookAgain is the wait between two looks at the interfaces while netlink tells of no change: some changes, such as
// those of sysctls, it does not tell of.
const lookAgain = time.Second

// ErrStopped is returned by Set after Start has ended.
var ErrStopped = errors.New("the discovery of routers has been stopped")

// Discovery finds routers. Its methods may be called by several goroutines.
type Discovery struct {
	log     *slog.Logger
	changes chan struct{}
	started chan struct{}
	// moved wakes Start: a port has something new.
	moved chan struct{}
	// lookUp finds an interface; every is the wait between two looks. Both are what this package has unless a test says
	// otherwise.
	lookUp func(name string) (*station, error)
	every  time.Duration

	mu      sync.Mutex
	stopped bool
	// desired interfaces, sorted, each once.
	desired  []string
	ports    map[string]*port
	routers  map[string]netip.Addr
	problems map[string]error
	// serving are the goroutines of the ports; one is only ever added under mu and before stopped.
	serving sync.WaitGroup
}

// New returns a Discovery that looks nowhere. It opens nothing and starts nothing: Start does. A nil log means slog's
// default.
func New(log *slog.Logger) *Discovery {
	if log == nil {
		log = slog.Default()
	}
	return &Discovery{
		log: log, changes: make(chan struct{}, 1), started: make(chan struct{}), moved: make(chan struct{}, 1),
		lookUp: lookUp, every: lookAgain,
		ports: map[string]*port{}, routers: map[string]netip.Addr{}, problems: map[string]error{},
	}
}

// Start looks for routers where Set says until ctx ends; then it closes its sockets and returns nil. Interfaces that
// come, go and change are followed by themselves, within a second at most. Start may be called once.
func (d *Discovery) Start(ctx context.Context) error {
	var following sync.WaitGroup
	following.Go(func() { d.follow(ctx) })
	close(d.started)

	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-d.moved:
			d.again()
		case <-tick.C:
			d.again()
		}
	}
	d.stop()
	d.serving.Wait()
	following.Wait()
	return nil
}

// Set makes us look for routers on these interfaces, by their exact names, and on no others. What stands in the way (an
// interface is missing or down, has IPv6 disabled or no usable link-local address yet) is returned as an error that
// names the interface, and is tried again by itself; all else is done regardless. That no router has been heard is no
// error. Set waits for Start, or for ctx, and may be called as often as one likes.
func (d *Discovery) Set(ctx context.Context, interfaces []string) error {
	select {
	case <-d.started:
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return ErrStopped
	}
	d.desired = slices.Compact(slices.Sorted(slices.Values(interfaces)))
	d.apply()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(d.problems)) {
		errs = append(errs, fmt.Errorf("look for a router on %s: %w", name, d.problems[name]))
	}
	return errors.Join(errs...)
}

// Routers returns the routers that have been found: interface to link-local address, with the interface's name as zone.
// The map is the caller's.
func (d *Discovery) Routers() map[string]netip.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.routers)
}

// Problems returns what stands in the way now, interface to reason: what Set would return, one by one. The map is the
// caller's.
func (d *Discovery) Problems() map[string]error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.problems)
}

// Changes wakes its one receiver after Routers or Problems have changed. A wake carries nothing; several changes may
// share one.
func (d *Discovery) Changes() <-chan struct{} { return d.changes }

// follow looks again when links or addresses have changed, until ctx ends. While netlink fails, Start does so by itself.
func (d *Discovery) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := link.Follow(ctx, func() error {
			d.again()
			return nil
		})
		if err != nil && ctx.Err() == nil {
			d.log.Warn("changes of interfaces are not heard of, looking every second", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(lookAgain):
			}
		}
	}
}

// wake leaves a wake for the receiver unless one waits already.
func wake(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
