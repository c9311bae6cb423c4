package handover

import (
	"net/netip"
	"time"
)

// MaxMembers bounds the nodes that a packet of one address may visit.
const MaxMembers = 8

// Passage says where the packets of TCP connections to an address go on to, which this node has no entry for. Packets that begin
// a connection are never passed on.
type Passage struct {
	Addr netip.Addr
	// Via is an address of the next node, of the family of Addr, on a segment that both nodes share.
	Via netip.Addr
	// Hops is how often a packet may be passed on in all, by all nodes together: at least 1, at most MaxMembers - 1.
	Hops int
}

// Plan is the whole desired state of speaker/connections.
type Plan struct {
	// Passages in order of Addr, each address once.
	Passages []Passage
	// Counted are the addresses whose packets this node attracted and does not any more, in order: the open TCP connections to
	// them that are known here are counted. The executor keeps the list in the kernel, beside the connections themselves, so
	// that a speaker which restarts finds it there.
	Counted []Counted
	// Asked are addresses of nodes that are silent in the gossip, sorted: they are asked on the segment whether they are there.
	Asked []netip.Addr
}

// Counted is an address whose open connections are counted.
type Counted struct {
	Addr netip.Addr
	// For is how long it is still to be remembered if nobody says otherwise. The kernel forgets it then.
	For time.Duration
}
