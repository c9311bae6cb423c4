package bgp

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// closeReason is why a connection ends or could not be made: as a text for people, and as the NOTIFICATION message for the
// router.
type closeReason struct {
	text string
	// code, subcode and data of the NOTIFICATION to send. With code 0, none is sent.
	code, subcode uint8
	data          []byte
	// hardReset: the router must delete our routes, also under graceful restart (RFC 8538 section 3.1).
	hardReset bool
	// graceful: under graceful restart the connection is closed without NOTIFICATION, and the router keeps our routes
	// (RFC 4724 section 4.2).
	graceful bool
	// cause decides how long the session waits.
	cause cause
	// refuses are capabilities without which the router may accept a session.
	refuses capabilities
	// bfd: either end says that BFD is down.
	bfd bool
	// limits are how many prefixes the router accepts, as far as it says so.
	limits prefixLimits
	// intended: we wanted the connection to end; this is no failure.
	intended bool
}

// Error implements error.
func (r *closeReason) Error() string { return r.text }

// malformed is the reason when the router sent a malformed message.
func malformed(code, subcode uint8, data []byte, text string) *closeReason {
	return &closeReason{
		text: "router sent a malformed message: " + text, code: code, subcode: subcode, data: data, cause: rejected,
	}
}

// sentNotification is the reason when we do not accept the content of a well-formed message.
func sentNotification(code, subcode uint8, data []byte, text string) *closeReason {
	return &closeReason{
		text: "sent NOTIFICATION: " + notificationText(code, subcode, nil) + ": " + text,
		code: code, subcode: subcode, data: data, cause: causeOf(code, subcode, data),
	}
}

// receivedNotification is the reason when the router has sent a NOTIFICATION with this body.
func receivedNotification(body []byte) *closeReason {
	return &closeReason{
		text: "router sent NOTIFICATION: " + notificationText(body[0], body[1], body[2:]), cause: causeOf(body[0], body[1], body[2:]),
		refuses: refusedCapabilities(body[0], body[1], body[2:]), limits: limitsOf(body[0], body[1], body[2:]),
		bfd: isBFDDown(body),
	}
}

// isBFDDown reports whether the body of a NOTIFICATION says that BFD is down (RFC 9384), by a hard reset, too (RFC 8538).
func isBFDDown(body []byte) bool {
	if len(body) >= 4 && body[0] == bgp.BGP_ERROR_CEASE && body[1] == bgp.BGP_ERROR_SUB_HARD_RESET {
		body = body[2:]
	}
	return body[0] == bgp.BGP_ERROR_CEASE && body[1] == subcodeBFDDown
}

// deconfigured is the reason when the session is no longer wanted.
func deconfigured() *closeReason {
	return &closeReason{
		code: bgp.BGP_ERROR_CEASE, subcode: bgp.BGP_ERROR_SUB_PEER_DECONFIGURED, hardReset: true, intended: true,
	}
}

// reconfigured is the reason when a connection is to be replaced by one with other settings. With graceful, the router keeps
// our routes where graceful restart was negotiated.
func reconfigured(graceful bool) *closeReason {
	return &closeReason{
		code: bgp.BGP_ERROR_CEASE, subcode: bgp.BGP_ERROR_SUB_OTHER_CONFIGURATION_CHANGE,
		hardReset: true, graceful: graceful, intended: true,
	}
}

// shutdown is the reason when this process stops. Where graceful restart was negotiated, the router keeps our routes; any
// other router is sent the reason as a text (RFC 9003).
func shutdown() *closeReason {
	const text = "the speaker stops"
	return &closeReason{
		code: bgp.BGP_ERROR_CEASE, subcode: bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN,
		data: append([]byte{byte(len(text))}, text...), hardReset: true, graceful: true, intended: true,
	}
}

// left is the reason when this process stops because the node leaves, for a reason. The router must delete our routes, and is
// sent the reason as a text (RFC 9003).
func left(why string) *closeReason {
	return shutDown(lb.Truncate("the node leaves: "+why, shortShutdownText))
}

// shutDown is the reason when an administrator ends the session, with a text for the router, which must delete our routes.
func shutDown(text string) *closeReason {
	text = lb.Truncate(text, math.MaxUint8)
	return &closeReason{
		code: bgp.BGP_ERROR_CEASE, subcode: bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN,
		data: append([]byte{byte(len(text))}, text...), hardReset: true, intended: true, //nolint:gosec // At most 255.
	}
}

// shortShutdownText is how long a text to a router may be, in bytes, for those of RFC 8203, too; newer ones take 255.
const shortShutdownText = 128

// Codes that GoBGP's codec does not name: the subcode of CEASE of RFC 9384, and the error code of RFC 9687.
const (
	subcodeBFDDown           = 10
	codeSendHoldTimerExpired = 8
)

// bfdDown is the reason when BFD says that the router is down (RFC 9384).
func bfdDown(text string) *closeReason {
	return &closeReason{text: text, code: bgp.BGP_ERROR_CEASE, subcode: subcodeBFDDown, hardReset: true, bfd: true}
}

// closeReasonOf returns why a connection ended, given the error with which it ended. The cause of ctx comes first: errors of
// the connection only follow from it.
func closeReasonOf(ctx context.Context, err error) *closeReason {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	var known *closeReason
	if errors.As(err, &known) {
		return known
	}
	return &closeReason{text: fmt.Sprint(err)}
}

// notification encodes the NOTIFICATION message to send; nil when none is to be sent.
func (r *closeReason) notification(agreed *negotiated) []byte {
	if r.code == 0 || r.graceful && agreed.gracefulRestart {
		return nil
	}
	code, subcode, data := r.code, r.subcode, r.data
	if r.hardReset && agreed.notificationSupport { // Without hard reset, the router would keep our routes.
		code, subcode, data = bgp.BGP_ERROR_CEASE, bgp.BGP_ERROR_SUB_HARD_RESET, append([]byte{code, subcode}, data...)
	}
	encoded, err := bgp.NewBGPNotificationMessage(code, subcode, data).Serialize()
	if err != nil {
		return nil // It fails only for messages that are too long, which ours are not.
	}
	return encoded
}
