package unnumbered

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/speaker/link"
)

// pollInterval is the time between two looks at the interfaces without a notification: netlink does not report some
// changes, such as those of sysctls.
const pollInterval = time.Second

// ErrStopped is returned by Set after Start has ended.
var ErrStopped = errors.New("the discovery of routers has been stopped")

// Discovery finds routers. Its methods may be called by several goroutines.
type Discovery struct {
	log     *slog.Logger
	changes chan struct{}
	started chan struct{}
	// socketChanged wakes Start when a socket has a new router or error.
	socketChanged chan struct{}
	// lookUp finds an interface; interval is the time between two looks. Tests replace them.
	lookUp   func(name string) (*netInterface, error)
	interval time.Duration
	// tick fires at that interval while there are interfaces to look at.
	tick *time.Ticker

	mu      sync.Mutex
	stopped bool
	// desired interfaces, sorted, without duplicates.
	desired  []string
	sockets  map[string]*raSocket
	routers  map[string]netip.Addr
	problems map[string]error
	// serving are the goroutines of the sockets. One is only added while mu is held and before stopped.
	serving sync.WaitGroup
}

// New returns a Discovery without interfaces. It opens nothing and starts nothing: Start does. A nil log means slog's
// default.
func New(log *slog.Logger) *Discovery {
	if log == nil {
		log = slog.Default()
	}
	return &Discovery{
		log: log, changes: make(chan struct{}, 1), started: make(chan struct{}), socketChanged: make(chan struct{}, 1),
		lookUp: lookUp, interval: pollInterval,
		sockets: map[string]*raSocket{}, routers: map[string]netip.Addr{}, problems: map[string]error{},
	}
}

// Start looks for routers on the interfaces of Set until ctx ends; then it closes its sockets and returns nil. It
// notices within a second when an interface appears, disappears or changes. Start may be called once.
func (d *Discovery) Start(ctx context.Context) error {
	var following sync.WaitGroup
	following.Go(func() { d.followLinks(ctx) })
	d.tick = time.NewTicker(d.interval)
	defer d.tick.Stop()
	d.tick.Stop() // Set starts it.
	close(d.started)

	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-d.socketChanged:
			d.reapply()
		case <-d.tick.C:
			d.reapply()
		}
	}
	d.stop()
	d.serving.Wait()
	following.Wait()
	return nil
}

// Set makes us look for routers on these interfaces, by their exact names, and on no others. It is no error
// that no router can be looked for on one: Problems says why, and it is tried again without another Set. Set waits for Start or for ctx, and may be called as often as wanted.
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
	idle := len(d.desired) == 0
	d.desired = slices.Compact(slices.Sorted(slices.Values(interfaces)))
	switch {
	case len(d.desired) == 0:
		d.tick.Stop()
	case idle:
		d.tick.Reset(d.interval)
	}
	d.apply()
	return nil
}

// Routers returns the routers that were found: interface to link-local address, with the interface's name as zone. The
// caller owns the map.
func (d *Discovery) Routers() map[string]netip.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.routers)
}

// Problems says of each interface on which no router can be looked for now why: it is missing or down, has IPv6 disabled or no usable
// link-local address yet. It is no problem if no router has advertised itself. The caller owns the map.
func (d *Discovery) Problems() map[string]error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.problems)
}

// Changes wakes its one receiver after Routers or Problems have changed. A wake carries nothing; several changes may
// share one.
func (d *Discovery) Changes() <-chan struct{} { return d.changes }

// followLinks applies the desired state again when links or addresses have changed, until ctx ends. While netlink
// fails, only the ticker of Start does.
func (d *Discovery) followLinks(ctx context.Context) {
	for ctx.Err() == nil {
		err := link.Subscribe(ctx, func() error {
			d.reapply()
			return nil
		})
		if err != nil && ctx.Err() == nil {
			d.log.Warn("netlink does not report changes of interfaces, looking every second", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(pollInterval):
			}
		}
	}
}

// notify sends a wake to a channel with a buffer of one, unless one waits there already.
func notify(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
