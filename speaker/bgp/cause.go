package bgp

import "github.com/osrg/gobgp/v4/pkg/packet/bgp"

// cause is the kind of event that has ended a connection or kept it from being made. It decides how long the session waits.
type cause uint8

const (
	// lost: what may be over at once. The connection broke, a timer expired, BFD went down, or the router resets the session.
	lost cause = iota
	// unreachable: no connection was made. Nobody answered, or the router's kernel refused.
	unreachable
	// unwelcome: the router has closed the connection before it sent an OPEN message. It does not know us, or not yet.
	unwelcome
	// rejected: somebody does not want the session, or the two ends do not understand each other. Both last until a person has
	// done something.
	rejected
	// exhausted: as rejected, and each attempt costs the router a whole table. It has reached a limit.
	exhausted
)

// causeOf is what a NOTIFICATION message, sent or received, means for the next attempt: RFC 4271 section 4.5, RFC 4486, 8538.
func causeOf(code, subcode uint8, data []byte) cause {
	switch code {
	case bgp.BGP_ERROR_CEASE:
		return causeOfCease(subcode, data)
	case bgp.BGP_ERROR_HOLD_TIMER_EXPIRED, codeSendHoldTimerExpired:
		return lost
	}
	return rejected
}

// causeOfCease tells the reasons of CEASE apart. That of a hard reset is inside it (RFC 8538 section 3.1). After four of them RFC 4486
// section 4 asks for growing pauses (DampPeerOscillations), and after a limit the same is wanted. A reset, another change of the
// configuration and a collision are over when they are said.
func causeOfCease(subcode uint8, data []byte) cause {
	switch subcode {
	case bgp.BGP_ERROR_SUB_MAXIMUM_NUMBER_OF_PREFIXES_REACHED, bgp.BGP_ERROR_SUB_OUT_OF_RESOURCES:
		return exhausted
	case bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN, bgp.BGP_ERROR_SUB_PEER_DECONFIGURED, bgp.BGP_ERROR_SUB_CONNECTION_REJECTED:
		return rejected
	case bgp.BGP_ERROR_SUB_HARD_RESET:
		if len(data) >= 2 && data[1] != bgp.BGP_ERROR_SUB_HARD_RESET {
			return causeOf(data[0], data[1], data[2:])
		}
	}
	return lost
}
