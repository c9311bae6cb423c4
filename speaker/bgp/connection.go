package bgp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/adjribout"
)

// openTimeout is how long a router that has accepted the connection may take to send its OPEN message (RFC 4271 section
// 8.2.2 suggests 4 minutes).
const openTimeout = 4 * time.Minute

// minSendHoldTime is the shortest send hold time (RFC 9687 section 4.2). A router that is busy for minutes reads on later.
const minSendHoldTime = 8 * time.Minute

// keepaliveMessage is a whole KEEPALIVE message.
var keepaliveMessage = append(appendHeader(nil, bgp.BGP_MSG_KEEPALIVE)[:16], 0, bgp.BGP_HEADER_LENGTH, bgp.BGP_MSG_KEEPALIVE)

// connection is one BGP connection with a router. It reads in one goroutine and writes in another.
type connection struct {
	settings  settings
	transport *transport
	recorder  *statusRecorder
	// negotiated is the zero value, and encoder nil, until the router's OPEN message was accepted.
	negotiated negotiated
	encoder    *adjribout.Encoder
	// confirmed: the router's KEEPALIVE message that confirms our OPEN message came while we waited for BFD.
	confirmed bool
	// holdRoutes: strict mode holds back the routes in place of the session, until BFD is up.
	holdRoutes bool
	// advertised is what the router has been told. Only the writing goroutine uses it.
	advertised *adjRIBOut
	// limits are how many prefixes the router accepts, as far as it has said so.
	limits prefixLimits
	// refreshRequested wakes the writing goroutine when the router asks for paths again; refreshFamilies says for which.
	refreshRequested chan struct{}
	refreshFamilies  [2]atomic.Bool // By familyIndex.
}

func newConnection(s *settings, t *transport, r *statusRecorder) *connection {
	return &connection{
		settings: *s, transport: t, recorder: r, advertised: &adjRIBOut{}, refreshRequested: make(chan struct{}, 1),
	}
}

// readMessage reads a message that is allowed in a state. A NOTIFICATION is returned as an error.
func (c *connection) readMessage(state v1beta1.BGPSessionState) (message, error) {
	m, err := c.transport.read()
	if err != nil {
		return m, explainReadError(state, err)
	}
	if m.messageType == bgp.BGP_MSG_NOTIFICATION {
		return m, receivedNotification(m.body)
	}
	return m, checkMessageType(state, m.messageType)
}

// checkMessageType returns an error when a type of message is not allowed in a state: RFC 4271 section 8.2.2, with the
// subcodes of RFC 6608. It does not look at the content.
func checkMessageType(state v1beta1.BGPSessionState, kind uint8) error {
	var subcode uint8
	switch {
	case kind == bgp.BGP_MSG_NOTIFICATION:
		return nil
	case state == stateOpenSent && kind != bgp.BGP_MSG_OPEN:
		subcode = 1
	case state == stateOpenConfirm && kind != bgp.BGP_MSG_KEEPALIVE:
		subcode = 2
	case state == v1beta1.BGPEstablished && kind == bgp.BGP_MSG_OPEN:
		subcode = 3
	default:
		return nil
	}
	return sentNotification(bgp.BGP_ERROR_FSM_ERROR, subcode, nil, fmt.Sprintf("the router sent a message of type %d", kind))
}

// closedByRouter is the reason when the router has closed the connection without a NOTIFICATION.
var closedByRouter = &closeReason{text: "router closed the connection"}

// explainReadError turns an error of transport.read in a state into the reason why the connection ends.
func explainReadError(state v1beta1.BGPSessionState, err error) error {
	var known *closeReason
	switch {
	case errors.As(err, &known):
		return err
	case isTimeout(err) && state == stateOpenSent:
		return &closeReason{
			text: fmt.Sprintf("router accepted the connection and sent no OPEN message for %.0f minutes", openTimeout.Minutes()),
			code: bgp.BGP_ERROR_HOLD_TIMER_EXPIRED,
		}
	case isTimeout(err):
		return &closeReason{text: "hold timer expired", code: bgp.BGP_ERROR_HOLD_TIMER_EXPIRED}
	case state == stateOpenSent && isClosed(err):
		return &closeReason{text: "router closed the connection before it sent an OPEN message", cause: unwelcome}
	case isClosed(err):
		return closedByRouter
	}
	return fmt.Errorf("the connection broke: %w", err)
}

// isClosed reports whether an error means that the other end has closed the connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// startHoldTimer limits the wait for the next message; with limit 0 there is no limit. It returns ctx's cause when ctx has
// ended.
func (c *connection) startHoldTimer(ctx context.Context, limit time.Duration) error {
	deadline := time.Time{}
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	_ = c.transport.conn.SetReadDeadline(deadline) // Fails on a closed connection, as reading will.
	// ctx is checked after the deadline is set: when ctx ends, interrupt sets an earlier deadline, which must not be lost.
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// send writes messages. It fails when the router does not read them within the send hold time (RFC 9687 section 4.2).
func (c *connection) send(ctx context.Context, messages ...[]byte) error {
	sendHoldTime := max(minSendHoldTime, 2*c.negotiated.holdTime)
	for _, message := range messages {
		err := c.transport.write(ctx, message, sendHoldTime)
		switch {
		case err == nil:
		case isTimeout(err) && ctx.Err() == nil:
			return &closeReason{text: "router does not read what it is sent: send hold timer expired", code: codeSendHoldTimerExpired}
		case isClosed(err):
			return closedByRouter
		default:
			return err
		}
	}
	return nil
}
