// Package connections keeps TCP connections open when an address moves from one node to another. Its one job is to have the
// kernel pass on, to the node that they came in by before, those packets that belong to no connection that this node knows; and
// to count the connections that this node still has for addresses that moved away. Set is given both as a whole. It refuses to
// decide who passes what to whom (internal/core/handover), to see a packet itself, and to touch rules that are not its own.
//
// The rules are a table "daymark" of nftables, one for each family, made and replaced atomically. A packet that the kernel's
// connection tracking does not know, and that does not begin a connection, is copied to the next node's address on the segment and
// dropped here, before the service proxy would translate it: nothing of it remains in this node, no entry, no mark, no route, so that
// there is nothing to clean up when it ends. The node that has the entry serves the packet and replies to the client by itself.
//
// A packet cannot go round for ever, whatever the nodes believe: each pass takes one from its time to live, which the first
// lowers to reserve + Passage.Hops, and nothing is passed on that has no more than reserve.
//
// What is in the table expires by itself: a speaker that runs renews it, one that restarts finds it still at work, and one that is
// gone for good leaves nothing that goes on. The nodes that packets are passed on to are asked by the kernel whether they are there.
package connections
