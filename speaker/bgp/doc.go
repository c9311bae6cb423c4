// Package bgp announces prefixes to routers by BGP (RFC 4271). Its one job is to make the BGP sessions, and what is
// announced on each, what a plan says: Set is given the whole desired state, and the package finds out what that changes.
// It is the only importer of GoBGP, of which it uses the message codec alone. It refuses to decide what is announced and to
// whom (internal/core/announce does), to accept connections (it dials), and to learn routes (it counts what a router sends
// and forgets it).
//
// From the outside in:
//
//   - Speaker (speaker.go) has a session for each one that is desired.
//   - session (session.go) has a goroutine that connects, and connects again after the connection has ended (backoff.go,
//     dial.go).
//   - connection (connection.go) is one connection from its OPEN messages (handshake.go) to its end (close.go): one
//     goroutine reads (readloop.go), the session's own goroutine writes (writeloop.go). In strict mode it waits for BFD
//     (strict.go).
//   - transport (transport.go) reads and writes whole messages, and rejects those that are malformed.
//   - statusRecorder (recorder.go) records what happens to a session, for Status (status.go) and the metrics (metrics.go).
//
// Functions without I/O decide: what the two OPEN messages agree on (negotiate.go), which message is allowed in which state
// (checkMessageType in connection.go), the next hops (nexthop.go), the path attributes (internal/core/adjribout), and which UPDATE
// messages lead from what the router was told to what it should be told (adjribout.go, update.go).
//
// We only dial, so there is at most one connection with each router, and RFC 4271's collision detection (section 6.8) is
// not needed. The states Connect, OpenSent, OpenConfirm and Established are the RFC's. Idle is the wait after a connection
// that either side has ended. While the router cannot be reached, the session stays in Connect.
//
// The functions that read what a router sends allocate a fixed amount of memory and always return. The connection ends when
// a router does not read for the send hold time (RFC 9687), and when it sends nothing for the hold time.
package bgp
