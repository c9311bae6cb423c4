package reconcile

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/departure"
	"github.com/daymark-lb/daymark/speaker/bgp"
)

const (
	// unpreferredTime is how long routers have to prefer other paths after they were sent the least preferred ones.
	unpreferredTime = 500 * time.Millisecond
	// drainTime is how long a node that has withdrawn its routes goes on forwarding, for what the routers send meanwhile.
	drainTime = 250 * time.Millisecond
	// sentInterval is how often it is asked whether the routers have been sent everything.
	sentInterval = 5 * time.Millisecond
)

// Leave hands over to the others what this node holds by layer 2, while it goes on answering. If the node leaves, it also
// has the routers use other nodes, and then withdraws its routes from them. If it leaves for good, the others leave, too: there is nobody
// to wait for, and no other path for the routers to prefer. It returns when that is done or ctx ends.
func (l *Loop) Leave(ctx context.Context, decision departure.Decision) {
	if !l.passed.Load() {
		return // Nothing is held yet.
	}
	l.leaving.Store(true)
	notify(l.leave)
	if decision.Leave {
		l.departureReason.Store(&decision.Why)
	}
	if decision.ForGood {
		l.depart(ctx, departure.Withdrawn)
		return
	}
	var withdrawing sync.WaitGroup
	if decision.Leave {
		withdrawing.Go(func() { l.withdraw(ctx) })
	}
	select {
	case <-l.free:
	case <-ctx.Done():
	}
	withdrawing.Wait()
}

// withdraw takes the routes from the routers, in two steps where there are any.
func (l *Loop) withdraw(ctx context.Context) {
	if slices.ContainsFunc(l.exec.BGP.Status(), func(s bgp.Status) bool { return s.IPv4+s.IPv6 > 0 }) {
		l.depart(ctx, departure.Unpreferred)
		sleep(ctx, unpreferredTime)
	}
	l.depart(ctx, departure.Withdrawn)
	sleep(ctx, drainTime)
}

// depart brings the sessions to a stage, and waits until the routers have been sent what it takes, or ctx ends.
func (l *Loop) depart(ctx context.Context, stage departure.Stage) {
	l.departure.Store(int32(stage))
	notify(l.leave)
	for ctx.Err() == nil && (departure.Stage(l.departed.Load()) < stage || l.behind()) {
		sleep(ctx, sentInterval)
	}
}

// behind reports whether a router has not been sent what was last set.
func (l *Loop) behind() bool {
	return slices.ContainsFunc(l.exec.BGP.Status(), func(s bgp.Status) bool { return s.Behind })
}

// sleep waits for a time, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// leavingWhy is why the node leaves; empty: it does not.
func (l *Loop) leavingWhy() string {
	if why := l.departureReason.Load(); why != nil {
		return *why
	}
	return ""
}

// updateFree ends Leave once a speaker that leaves holds nothing.
func (l *Loop) updateFree(d *desired) {
	if l.leaving.Load() && len(d.layer2) == 0 {
		l.freed.Do(func() { close(l.free) })
	}
}
