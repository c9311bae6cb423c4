// Package session is the protocol machine of one BFD session: RFC 5880 in asynchronous mode, as values. Its one job is to
// be told of packets and of the time, and to say what to send, when it wants to be asked again, and what became of the
// session. It has no clock, no socket and no goroutine; speaker/bfd gives it those.
//
// It refuses what Daymark has no use for: authentication (section 6.7; a packet that has it is discarded), the Echo
// function (6.4; we ask for none and send none) and Demand mode of our own (6.6). A peer's Demand mode is honored: while
// both ends are up, nothing is sent but Poll Sequences and answers.
//
// How a machine is driven: after each of Receive, Expire, Change and Leave, and at the time that Next gives, call Due until
// it has nothing more to send. A machine is not safe for concurrent use.
package bfdsession
