// Package link knows this node's network interfaces and default gateways and says when they change. Its one job is to
// keep a table of them, read by netlink: what is up, with which MAC address and which addresses, what a bridge or bond
// speaks for, and which routers the default routes lead to. It refuses to judge which link an address may be announced
// on and which gateway is a BGP peer (internal/core/announce), and it touches none of them.
//
// A notification of the kernel carries nothing here: whatever it says, the table is read again as a whole. So a lost
// notification (ENOBUFS) or one out of order cannot leave a wrong table behind. Unknown is not empty: until the first
// full reading, Links and Gateways say that they do not know.
package link
