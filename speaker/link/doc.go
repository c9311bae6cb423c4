// Package link knows this node's network interfaces and default gateways and reports when they change. Its one job is
// to keep them as netlink shows them: which links are up, with which MAC and IP addresses, for which members a bridge
// or bond answers, and which routers the default routes lead to. It refuses to decide on which link an address may be
// announced and which gateway is a BGP peer (internal/core/announce), and it changes none of them. Of a link that has come up it has
// the kernel forget which neighbors did not answer meanwhile.
//
// The content of a netlink notification is not used: after any of them, everything is read again. So notifications that
// are lost (ENOBUFS) or out of order cannot leave a wrong state. Only links and addresses are read alone when a dump would take long: a full
// routing table must not keep a cable that lost its carrier from being noticed. Unknown is not empty: until the first complete dump,
// Links and Gateways return false.
package link
