package bgp

import (
	"context"
	"errors"
	"fmt"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// ending is why a connection ends, or was not to be had: in words, and as the NOTIFICATION message that tells the router.
type ending struct {
	words string
	// code, subcode and data of the NOTIFICATION to send; code 0: there is none to send.
	code, subcode uint8
	data          []byte
	// hard: the router must drop our routes, whatever graceful restart was agreed on.
	hard bool
	// graceful: where graceful restart was agreed on, the connection is closed without NOTIFICATION, and the router keeps
	// our routes (RFC 4724 section 4.2).
	graceful bool
	// unreached: there was no connection.
	unreached bool
	// ordered: we wanted it so; it is no failure.
	ordered bool
}

// Error implements error.
func (e *ending) Error() string { return e.words }

// malformed is the end of a connection over which a message came that is none.
func malformed(code, subcode uint8, data []byte, words string) *ending {
	return &ending{words: "router sent a malformed message: " + words, code: code, subcode: subcode, data: data}
}

// objection is the end of a connection because of what a well-formed message says.
func objection(code, subcode uint8, data []byte, words string) *ending {
	return &ending{
		words: "sent NOTIFICATION: " + notificationWords(code, subcode, nil) + ": " + words,
		code:  code, subcode: subcode, data: data,
	}
}

// notified is the end of a connection that the router has closed with a NOTIFICATION.
func notified(body []byte) *ending {
	return &ending{words: "router sent NOTIFICATION: " + notificationWords(body[0], body[1], body[2:])}
}

// deconfigured ends a session for good.
func deconfigured() *ending {
	return &ending{code: bgp.BGP_ERROR_CEASE, subcode: bgp.BGP_ERROR_SUB_PEER_DECONFIGURED, hard: true, ordered: true}
}

// reconfigured ends a connection that is to be had with other settings. The routes stay where graceful says so.
func reconfigured(graceful bool) *ending {
	return &ending{
		code: bgp.BGP_ERROR_CEASE, subcode: bgp.BGP_ERROR_SUB_OTHER_CONFIGURATION_CHANGE,
		hard: true, graceful: graceful, ordered: true,
	}
}

// stopped ends the sessions of a process that stops, with routes that stay where they can. Another router is told in words
// (RFC 9003).
func stopped() *ending {
	const text = "the speaker stops"
	return &ending{
		code: bgp.BGP_ERROR_CEASE, subcode: bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN, data: append([]byte{byte(len(text))}, text...),
		hard: true, graceful: true, ordered: true,
	}
}

// What the codec does not name: RFC 9384's subcode of CEASE, and RFC 9687's code.
const (
	bfdDown       = 10
	sendHoldTimer = 8
)

// declaredDown ends a connection that somebody who watches the router says is down.
func declaredDown(reason string) *ending {
	return &ending{words: reason, code: bgp.BGP_ERROR_CEASE, subcode: bfdDown, hard: true}
}

// endingOf says why a connection ended. What ended ctx comes first: errors of the connection only follow from it.
func endingOf(ctx context.Context, err error) *ending {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	var known *ending
	if errors.As(err, &known) {
		return known
	}
	return &ending{words: fmt.Sprint(err)}
}

// notification encodes the message that tells the router; nil when there is none to send.
func (e *ending) notification(agreed *terms) []byte {
	if e.code == 0 || e.graceful && agreed.graceful {
		return nil
	}
	code, subcode, data := e.code, e.subcode, e.data
	if e.hard && agreed.notification { // RFC 8538 section 3.1: else the router would keep our routes.
		code, subcode, data = bgp.BGP_ERROR_CEASE, bgp.BGP_ERROR_SUB_HARD_RESET, append([]byte{code, subcode}, data...)
	}
	encoded, err := bgp.NewBGPNotificationMessage(code, subcode, data).Serialize()
	if err != nil {
		return nil // Only when it is too long, and none of ours is.
	}
	return encoded
}
