package bfdsession

import "fmt"

// State of a session (RFC 5880 section 4.1). Its numbers are those on the wire.
type State uint8

// The states.
const (
	// AdminDown: held down on purpose. It says nothing of the path (RFC 5882 section 4.2).
	AdminDown State = iota
	// Down: no session, or one that has just failed.
	Down
	// Init: the peer is heard, and does not yet know that it is.
	Init
	// Up: both hear each other.
	Up
)

// String gives the name that RFC 5880 uses.
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

// The diagnostic codes that we give. Others may be heard.
const (
	DiagNone         Diag = 0
	DiagExpired      Diag = 1
	DiagNeighborDown Diag = 3
	DiagAdminDown    Diag = 7
)

// String gives the words of RFC 5880.
func (d Diag) String() string {
	words := [...]string{
		"no diagnostic", "control detection time expired", "echo function failed", "neighbor signaled session down",
		"forwarding plane reset", "path down", "concatenated path down", "administratively down",
		"reverse concatenated path down",
	}
	if int(d) < len(words) {
		return words[d]
	}
	return fmt.Sprintf("diagnostic %d", uint8(d))
}

// Event is what a packet or the passing of time did to a session, as its clients see it.
type Event uint8

// The events.
const (
	// Kept: nothing that matters to a client.
	Kept Event = iota
	// CameUp: the session is up.
	CameUp
	// Failed: the session was up, and is down: what depends on the path must be torn down.
	Failed
	// Withdrawn: the session was up and the peer has taken it down on purpose, which says nothing of the path
	// (RFC 5882 section 4.2): what depends on it must not be torn down.
	Withdrawn
)
