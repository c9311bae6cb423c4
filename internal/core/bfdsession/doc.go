// Package bfdsession is the state machine of one BFD session: RFC 5880 in asynchronous mode, as values. Its one job is to be
// told of packets and of the time, and to say which packets to send, when to ask it again, and what happened to the session.
// It has no clock, no socket and no goroutine; speaker/bfd provides those.
//
// It refuses what Daymark has no use for: authentication (section 6.7; a packet that has it is discarded), the Echo function
// (section 6.4) and Demand mode of our own (section 6.6). It honors Demand mode of the peer: while both ends are up, it then
// sends nothing but Poll Sequences and their answers.
//
// How to drive a Machine: after each call of Receive, Expire, SetParameters and AdminDown, and at the time that NextDue
// returns, call Due until it returns no packet. A Machine is not safe for concurrent use.
package bfdsession
