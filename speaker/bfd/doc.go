// Package bfd monitors the paths to routers by BFD: RFC 5880 in asynchronous mode, RFC 5881 over a single hop, and RFC 5883
// over several. Its one job is to make the BFD sessions what Set says, and to tell by Status, Changes and OnDown what
// happened to them. It refuses to decide which paths are monitored, and to react when one has failed: that is for the
// protocols that depend on the path (RFC 5882). internal/core/bfdsession lists what of RFC 5880 is not implemented.
//
// The state machine of a session is a value, bfdsession.Machine. Around it, the Monitor (monitor.go, set.go) has:
//
//   - a socket to receive by for each family, kind of session (single-hop or multihop) and VRF, shared by all sessions that
//     fit (listener.go, receive.go);
//   - a socket to send by for each session (session.go), which keeps its source port as long as it lives (sender.go);
//   - one alarm, a timer of the kernel, for the session that is due first (schedule.go).
//
// One lock guards all of it. Nothing that is done under it blocks: a packet that cannot be sent at once is counted and lost,
// like any other. Calls of OnDown and the log wait in notifications.go.
//
// A peer is not blamed when this process was not scheduled in time: before a session is declared down, packets that wait in
// the sockets are handled.
//
// A process that follows another within the Detection Time goes on with its sessions (resume.go): the peers do not notice.
//
// A profile is changed by a Poll Sequence; no session goes down for that. The peer of a session that is removed is sent
// AdminDown, which routers do not take for a failure.
package bfd
