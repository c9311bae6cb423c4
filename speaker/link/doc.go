// Package link knows this node's network interfaces and says when they change. Its one job is to keep a table of them,
// read by netlink: what is up, with which MAC address and which addresses, and what a bridge or bond speaks for. It
// refuses to judge which of them an address may be announced on (speaker/announce) and touches none of them.
//
// A notification of the kernel carries nothing here: whatever it says, the table is read again as a whole. So a lost
// notification (ENOBUFS) or one out of order cannot leave a wrong table behind. Unknown is not empty: until the first
// full reading, Links says that it does not know.
package link
