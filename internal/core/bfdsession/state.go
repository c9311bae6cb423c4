package bfdsession

import "fmt"

// State of a session (RFC 5880 section 4.1). The numbers are those on the wire.
type State uint8

// The states.
const (
	// AdminDown: the session is held down by intention. This says nothing about the path (RFC 5882 section 4.2).
	AdminDown State = iota
	// Down: there is no session, or it has just failed.
	Down
	// Init: we receive packets from the peer, and it does not yet know that we do.
	Init
	// Up: both ends receive each other's packets, and know it.
	Up
)

// String returns the name in RFC 5880.
func (s State) String() string {
	switch s {
	case AdminDown:
		return "AdminDown"
	case Down:
		return "Down"
	case Init:
		return "Init"
	case Up:
		return "Up"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Diag is the reason that a system gives for its last change of state (RFC 5880 section 4.1).
type Diag uint8

// The diagnostic codes that we send. The peer may send others.
const (
	DiagNone                 Diag = 0
	DiagDetectionTimeExpired Diag = 1
	DiagNeighborSignaledDown Diag = 3
	DiagAdminDown            Diag = 7
)

// String returns the text of RFC 5880.
func (d Diag) String() string {
	texts := [...]string{
		"no diagnostic", "control detection time expired", "echo function failed", "neighbor signaled session down",
		"forwarding plane reset", "path down", "concatenated path down", "administratively down",
		"reverse concatenated path down",
	}
	if int(d) < len(texts) {
		return texts[d]
	}
	return fmt.Sprintf("diagnostic %d", uint8(d))
}

// Event is what a packet or the passing of time did to a session, as its clients see it.
type Event uint8

// The events.
const (
	// NoEvent: nothing that matters to a client.
	NoEvent Event = iota
	// CameUp: the session is up.
	CameUp
	// Failed: the session was up and is down. What depends on the path must be torn down.
	Failed
	// PeerAdminDown: the session was up, and the peer has taken it down by intention. This says nothing about the path:
	// what depends on it must not be torn down (RFC 5882 section 4.2).
	PeerAdminDown
)
