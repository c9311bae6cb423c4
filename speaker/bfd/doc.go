// Package bfd watches the paths to routers by BFD: RFC 5880 in asynchronous mode, RFC 5881 over a single hop and RFC 5883
// over several. Its one job is to make the sessions what Set says they should be, and to say by Status, Changes and OnDown
// what became of them. It refuses to decide which paths are watched, and to do anything about one that has failed: that is
// for whoever depends on it (RFC 5882). What it does not do of RFC 5880 is listed in internal/core/bfdsession.
//
// The protocol itself is a value, session.Machine. Around it are, for the whole package:
//
//   - a socket to receive by for each family, kind of session and VRF, shared by all sessions of it (listener.go);
//   - a socket to send by for each session, which keeps its source port as long as the session lives (sender.go);
//   - one timer for the earliest thing that any session has to do (clock.go).
//
// One lock guards all of it. What is done under it never blocks: a packet that cannot be sent at once is counted and lost,
// like any other.
//
// A peer is not accused of our own laziness: before a session is declared down, what has arrived and waits in the sockets
// is looked at, so that a process that was not scheduled in time finds the packets that were (clock.go).
//
// A profile is changed in place, by a Poll Sequence; no session goes down for that. What goes is told AdminDown, which a
// router does not take for a failure.
package bfd
