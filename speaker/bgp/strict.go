package bgp

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// waitsForBFD says, for people, why a session in strict mode is not established.
const waitsForBFD = "waits for BFD, which is not up (bfdStrict): the router must run BFD with this node"

// bfdHoldTime is how long a session in strict mode waits for BFD where there is no hold time.
const bfdHoldTime = 30 * time.Second

// strictMode is how strict mode is kept. FRR begins BFD anew when a session is established, and with dynamic neighbors each time:
// a session that waited for BFD would go down at once, for ever. With such a router the session does not wait, and has no routes
// before BFD is up. Only the session's own goroutine uses it.
type strictMode struct {
	holdRoutes bool
}

// ended is told why a connection ended, and how long it was established.
func (m *strictMode) ended(strict bool, reason *closeReason, up time.Duration) {
	switch {
	case strict && reason.bfd && up > 0 && up < announce.BFDRestart:
		m.holdRoutes = true
	case !strict || reason.bfd:
		m.holdRoutes = false
	}
}

// bfdNotUp is the reason when BFD has not come up in time (RFC 9384).
func bfdNotUp() *closeReason {
	return bfdDown(waitsForBFD)
}

// bfdLate is ready when BFD should have come up; nil while no routes wait for it.
func (c *connection) bfdLate() <-chan time.Time {
	if !c.holdRoutes {
		return nil
	}
	return time.After(c.bfdLimit())
}

// bfdLimit is how long a connection waits for BFD: most of the hold time. The router's runs as well while it is not established, and
// it is better that we say why the connection ends.
func (c *connection) bfdLimit() time.Duration { return cmp.Or(c.negotiated.holdTime*9/10, bfdHoldTime) }

// awaitBFD waits in state OpenSent as long as strict mode wants, and bfdLimit allows. We have the router's OPEN message, and
// do not confirm it: so the router is not established either, whether or not it has strict mode. wake is ready when desired may
// have changed. To connect later would not do: some routers begin BFD only when a neighbor has connected.
func (c *connection) awaitBFD(ctx context.Context, wake <-chan struct{}, desired func() *announce.Session) error {
	if !desired().AwaitBFD || c.holdRoutes {
		return nil
	}
	c.recorder.waitingIn(stateOpenSent, waitsForBFD)
	if err := c.startHoldTimer(ctx, c.bfdLimit()); err != nil {
		return err
	}
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		if c.bfdComesUp(over, wake, desired) {
			_ = c.transport.conn.SetReadDeadline(time.Now()) // Fails on a closed connection, as reading will.
		}
	})
	err := c.readWhileWaiting(ctx)
	close(over)
	watching.Wait()
	switch {
	case !isTimeout(err):
		return explainReadError(stateOpenConfirm, err)
	case desired().AwaitBFD:
		return bfdNotUp()
	}
	return nil
}

// bfdComesUp waits until a session waits for BFD no more; false when over is closed before.
func (c *connection) bfdComesUp(over, wake <-chan struct{}, desired func() *announce.Session) bool {
	for desired().AwaitBFD {
		select {
		case <-wake:
		case <-over:
			return false
		}
	}
	return true
}

// readWhileWaiting reads what a router sends that we have not confirmed: KEEPALIVE messages, of which the first confirms our OPEN
// message. It returns the error with which reading ends, and never in the middle of a message.
func (c *connection) readWhileWaiting(ctx context.Context) error {
	var limiter readLimiter
	for {
		limiter.wait(ctx)
		if err := c.transport.awaitMessage(); err != nil {
			return err
		}
		if _, err := c.readMessage(stateOpenConfirm); err != nil {
			return err
		}
		c.confirmed = true
	}
}
