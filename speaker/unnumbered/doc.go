// Package unnumbered finds the router at the other end of an interface, and lets that router find us, so that a BGP session
// between the two needs no configured address: BGP unnumbered as FRR, Cumulus, SONiC and EOS do it (RFC 8950 gives IPv4
// routes an IPv6 next hop). Set is given the interfaces, and Routers returns the link-local address of the router on each:
// that is its one job. It refuses to speak BGP (speaker/bgp), to be a default router, and to change what the kernel knows of
// routers: it works whatever accept_ra says.
//
// Both ends send Router Advertisements (RFC 4861 section 4.2) with a router lifetime of zero. That means "I am not a
// default router" and not "I am leaving", so that such a router is a neighbor like any other. We use only the source
// address of an advertisement; its prefixes, lifetimes and options are ignored and can do no harm.
//
// Every interface has one raSocket with one goroutine, which alone owns the state of that interface. It knows one router at
// most, whatever it receives. Interfaces are looked up by their exact names, again when netlink reports a change and once a
// second. An interface that was down, or was replaced by another one of the same name, gets a new raSocket, which knows no
// router and solicits.
package unnumbered
