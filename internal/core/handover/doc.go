// Package handover decides how open TCP connections survive a planned move of an address: which packets a node passes on, to
// which node, and whose connections are counted. It is pure: no clock, no goroutine, no I/O. It refuses to decide who holds an
// address, which is internal/core/election's, and to touch the kernel, which is speaker/connections'.
//
// An open connection is known to the node that it came in by, and to no other. When its packets arrive at another node, that
// node passes on what it has no entry for, along the members of the address: the nodes that attract its packets now, and those
// that did until a short time ago and still have connections. Members are in one order that all nodes know, their names', and
// each passes on to the next: so a packet reaches each of them once, wherever it comes in, and whatever the history was. Views
// may differ for a moment; therefore no packet is passed on more often than Hops says, whatever the nodes believe.
//
// Memory needs little: who has connections left says so to the others, and knows from its own kernel.
package handover
