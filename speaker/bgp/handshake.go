package bgp

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// openWarningTimeout is how long the session waits for the router's OPEN message before its status says so.
const openWarningTimeout = 5 * time.Second

// handshake exchanges OPEN messages and the first KEEPALIVE messages; after it, the session is established. restarting sets
// the R bit (RFC 4724 section 3). In strict mode it waits for BFD before it confirms the router's OPEN message; wake is ready when
// desired may have changed.
func (c *connection) handshake(ctx context.Context, restarting bool, wake <-chan struct{}, desired func() *announce.Session) error {
	open, err := c.settings.encodeOpen(restarting)
	if err != nil {
		return err
	}
	if err := c.send(ctx, open); err != nil {
		return err
	}
	c.recorder.setState(stateOpenSent)
	if err := c.receiveOpen(ctx); err != nil {
		return err
	}
	if err := c.awaitBFD(ctx, wake, desired); err != nil {
		return err
	}
	if err := c.send(ctx, keepaliveMessage); err != nil {
		return err
	}
	c.recorder.setState(stateOpenConfirm)
	if err := c.startHoldTimer(ctx, cmp.Or(c.negotiated.holdTime, openTimeout)); err != nil {
		return err
	}
	if !c.confirmed {
		if _, err = c.readMessage(stateOpenConfirm); err != nil {
			return err
		}
	}
	return c.startHoldTimer(ctx, c.negotiated.holdTime)
}

// receiveOpen waits for the router's OPEN message and accepts it. While it waits for long, the status says so.
func (c *connection) receiveOpen(ctx context.Context) error {
	if err := c.startHoldTimer(ctx, openTimeout); err != nil {
		return err
	}
	warning := time.AfterFunc(openWarningTimeout, func() {
		c.recorder.waitingIn(stateOpenSent, "router accepted the connection and has sent no OPEN message yet")
	})
	m, err := c.readMessage(stateOpenSent)
	warning.Stop()
	if err != nil {
		return err
	}
	return c.acceptOpen(m.body)
}

// acceptOpen takes the body of the router's OPEN message; the error says why there can be no session. GoBGP's codec reads
// the capabilities: if it panics because of what a router sent, only this connection ends.
func (c *connection) acceptOpen(body []byte) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = malformed(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, 0, nil, fmt.Sprint("a capability cannot be read: ", panicked))
		}
	}()
	open, err := parseOpen(body)
	if err != nil {
		return err
	}
	agreed, err := c.settings.negotiate(open)
	if err != nil {
		return err
	}
	c.negotiated, c.encoder = *agreed, adjribout.EncoderOf(c.settings.ends(), agreed.fourOctets)
	return nil
}
