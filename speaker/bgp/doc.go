// Package bgp announces prefixes to routers by BGP (RFC 4271). Its one job is to make the sessions with routers, and what
// is announced on each, what a plan says they should be: Set is given the whole desired state, and the package finds out
// for itself what that changes. It is the only importer of GoBGP, and refuses three things: to decide what is announced
// and to whom (speaker/announce does), to accept connections (it dials), and to learn routes (all that a router sends is
// rejected).
//
// Every session has a GoBGP server of its own, without a listener. Two sessions may then have different AS numbers and
// router IDs, the same prefix may carry different attributes to different routers, and a restart of one never waits for
// the End-of-RIB of another.
//
// What GoBGP does not do, or does otherwise than a router expects, is mended where it is met:
//
//   - It says that a session is down, not why. The reasons are read from its log (journal.go), and a router that refuses
//     our OPEN message, whose NOTIFICATION GoBGP drops unread, is asked once more for it (inquire.go).
//   - It rests five seconds before it dials again. A session that is lost is therefore given a new peer at once
//     (session.go).
//   - It tells routers that forwarding goes on during a restart (RFC 4724, the F bit) only in the OPEN message of a server
//     that has just restarted. As ours always goes on, every peer is made in that state (neighbor.go).
//   - Its servers share variables of their package (fence.go).
package bgp
