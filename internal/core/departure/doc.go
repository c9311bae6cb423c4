// Package departure decides what a speaker that is told to end does to its BGP sessions: it restarts, and the routers keep
// its routes (RFC 4724), or its node leaves, and the routes must be gone before the node stops forwarding. It also says what
// the sessions of a node that leaves announce until they are closed. It refuses to find out the facts (speaker/nodestate
// does), and to wait between the steps.
package departure
