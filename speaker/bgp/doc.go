// Package bgp announces prefixes to routers by BGP (RFC 4271). Its one job is to make the sessions with routers, and what
// is announced on each, what a plan says they should be: Set is given the whole desired state, and the package finds out
// for itself what that changes. It is the only importer of GoBGP, of which it takes the message codec alone, and refuses
// three things: to decide what is announced and to whom (internal/core/announce does), to accept connections (it dials), and to
// learn routes (what a router sends is counted and forgotten).
//
// From the outside in:
//
//   - Speaker (speaker.go) has a session for each that is desired.
//   - session (session.go) has a goroutine that dials, and dials again when the connection has ended (backoff.go, dial.go).
//   - peering (peering.go) is one connection from the OPEN message to its end: one goroutine reads, the session's own writes.
//   - wire (wire.go) reads and writes whole messages, and lets nothing through that is malformed.
//
// What is decided is decided by functions without I/O: what the two OPEN messages agree on (open.go), which message is
// allowed when (verdict in peering.go), the next hops (nexthop.go), the attributes (attributes.go), and which UPDATE
// messages lead from what the router was told to what it should be told (table.go, update.go).
//
// As we only dial there is one connection with each router at most, and nothing of RFC 4271's collision detection is
// needed. The states Connect, OpenSent, OpenConfirm and Established are the RFC's; Idle is the pause after a connection
// that the other side, or we, ended with a reason; a connection that cannot be had leaves the session in Connect.
//
// All that a router sends is read by functions that allocate a fixed amount and return. A router that does not read is
// given up when a write takes too long, one that sends nothing when the hold timer ends.
package bgp
