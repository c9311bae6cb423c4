// Package unnumbered finds the router at the other end of an interface, and lets that router find us, so that a BGP
// session between the two needs no configured address: BGP unnumbered as FRR, Cumulus, SONiC and EOS do it. Its one job
// is Set: it is given the interfaces to look on, and says by Routers which link-local address the router on each has. It
// refuses to speak BGP (speaker/bgp), to be anybody's default router and to change what the kernel knows of routers: it
// works whatever accept_ra says.
//
// Both ends tell of themselves by Router Advertisements (RFC 4861 section 4.2) with a router lifetime of zero, which
// means "I am no default router", and not "I leave": such a router is a neighbor like any other. An advertisement
// teaches us its source and nothing else; prefixes, lifetimes and options are of no interest and can do no harm.
//
// Every interface has a port: one socket and one goroutine, which alone owns what is known there. What it remembers is
// one router, whatever arrives. Interfaces are looked up by their exact names, again when netlink tells of a change and
// once a second; one that went down, or was replaced under its name, gets another port, which knows nothing and asks.
package unnumbered
