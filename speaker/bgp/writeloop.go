package bgp

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// refreshInterval is the shortest time between two answers to ROUTE-REFRESH messages. Each answer costs all messages.
const refreshInterval = time.Second

// minKeepaliveInterval is the shortest time between two KEEPALIVE messages (RFC 4271 section 4.4).
const minKeepaliveInterval = time.Second

// runEstablished runs an established session: it advertises what desired returns, again whenever wake is ready, while a
// second goroutine reads. It returns why the session has ended. The first of reading, writing and ctx that ends, ends the
// others.
func (c *connection) runEstablished(ctx context.Context, wake <-chan struct{}, desired func() *announce.Session) error {
	both, stop := context.WithCancelCause(ctx)
	var reading sync.WaitGroup
	reading.Go(func() {
		stop(c.readLoop(both))
		c.transport.interrupt() // No use to write to a router that has ended the session, or sends malformed messages.
	})
	err := c.writeLoop(both, wake, desired)
	if errors.Is(err, closedByRouter) { // The router's last message may say why: wait until it is read.
		select {
		case <-both.Done():
		case <-time.After(lastMessageTimeout):
		}
	}
	stop(err)
	c.transport.interrupt()
	reading.Wait()
	return context.Cause(both)
}

// writeLoop sends UPDATE and KEEPALIVE messages until ctx ends or writing fails.
func (c *connection) writeLoop(ctx context.Context, wake <-chan struct{}, desired func() *announce.Session) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(desired().UpdateAfter):
	}
	if err := c.sendInitialUpdate(ctx, desired()); err != nil {
		return err
	}
	keepaliveTimer := time.NewTimer(c.nextKeepalive())
	defer keepaliveTimer.Stop()
	if c.negotiated.keepaliveTime == 0 {
		keepaliveTimer.Stop()
	}
	bfdLate := c.bfdLate()
	refresh, refreshAllowed := c.refreshRequested, (<-chan time.Time)(nil)
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wake:
			err = c.sendUpdate(ctx, desired())
		case <-keepaliveTimer.C:
			err = c.send(ctx, keepaliveMessage)
			keepaliveTimer.Reset(c.nextKeepalive())
		case <-refresh:
			err = c.answerRefresh(ctx)
			refresh, refreshAllowed = nil, time.After(refreshInterval)
		case <-bfdLate:
			if c.holdRoutes {
				err = bfdNotUp()
			}
		case <-refreshAllowed:
			refresh, refreshAllowed = c.refreshRequested, nil
		}
		if err != nil {
			return err
		}
	}
}

// nextKeepalive is the time to the next KEEPALIVE message: shortened by up to a quarter at random (RFC 4271 section 10), and
// never less than a second (section 4.4).
func (c *connection) nextKeepalive() time.Duration {
	return max(jitter(c.negotiated.keepaliveTime, 0.75), minKeepaliveInterval)
}

// sendInitialUpdate sends all paths at once. Under graceful restart, End-of-RIB markers follow (RFC 4724 section 2).
func (c *connection) sendInitialUpdate(ctx context.Context, desired *announce.Session) error {
	if c.negotiated.gracefulRestart {
		return c.sendUpdate(ctx, desired, endOfRIB(c.negotiated.families))
	}
	return c.sendUpdate(ctx, desired)
}

// sendUpdate sends the changes from what the router was told to what is desired, and messages that follow them. New routes come before
// old ones go, so that no prefix that moves to another is missing in between; unless the router would have more than it accepts
// meanwhile, and end the session, which costs all of them.
func (c *connection) sendUpdate(ctx context.Context, desired *announce.Session, after ...[]byte) error {
	next := nextHopsOf(&c.settings, desired, c.transport.localAddr(), c.negotiated.extendedNextHop)
	paths := desired.Paths
	if c.holdRoutes = c.holdRoutes && desired.AwaitBFD; c.holdRoutes {
		paths = nil
	}
	wanted := newAdjRIBOut(c.encoder, c.advertised, paths, c.negotiated.families, next)
	if c.holdRoutes {
		wanted.notAnnounced, wanted.heldBack = waitsForBFD, c.negotiated.families
	}
	changes := wanted.diff(c.advertised)
	withdrawFirst := changes.exceeds(c.limits.within(desired.MaximumPrefixes), c.advertised)
	if err := c.sendRoutes(ctx, append(changes.messages(withdrawFirst), after...)...); err != nil {
		return err
	}
	wanted.digest = c.advertised.digest + changes.digest
	c.advertised = wanted
	c.recorder.setAdvertised(desired, wanted, changes)
	return nil
}

// answerRefresh sends all paths again of the families that the router has asked for (RFC 2918).
func (c *connection) answerRefresh(ctx context.Context) error {
	for _, family := range c.negotiated.families {
		if !c.refreshFamilies[familyIndex(family)].Swap(false) {
			continue
		}
		if err := c.sendRoutes(ctx, c.advertised.ofFamily(family).diff(&adjRIBOut{}).messages([2]bool{})...); err != nil {
			return err
		}
	}
	return nil
}
