// Package ipam decides which Service holds which address. Its one job is Compute: World in, Plan out, with a typed cause for
// every address that a Service should have and does not get. It is pure: no I/O, no clock, no map order. The same World
// always gives the same Plan, in whatever order its parts are listed. It refuses to write a Plan down (controller/reconcile
// does) and to decide who announces the addresses (internal/core/announce does).
//
// The rules, in the order they apply:
//
//  1. A Service keeps the addresses in its status while they are valid. An address is valid when a pool contains it, the
//     Service wants its family, and no other Service holds it that may not share it. The pool that gave an address, by the
//     provenance of the Service, counts as long as it exists, even when its specification cannot be read, and for a grace time
//     after it is gone. What a pool would give today does not matter for an address it has given. An address that somebody
//     else gave is adopted by the pool that contains it; if none does, it stays until the Service has one of ours in its
//     place. When two Services show one address and may not share it, one of them loses it: the one that
//     did not hold it in the pass before, else the one that joined the other, else the one whose own sharing terms changed,
//     else the one whose provenance does not name it, else the younger.
//  2. Addresses are given only after all held addresses have been checked. The oldest Service is served first. It gets an
//     address from its reservations, else one that it had before, else one that it may share, else the lowest free address
//     of the pools in order of priority and name.
//  3. A Service that requests other addresses or pools than it has keeps what it has until it can have what it requests.
//  4. An address that a status still shows is never given to another Service. An address that is released in this pass is
//     free in the next.
//
// Because of rule 4 addresses are only ever taken within a pass and never freed. So the search for a free address never goes
// back, and costs the same in a pool of any size and however full it is.
//
// A Planner makes the same plans one after the other, and looks at few Services in most of them.
//
// The files: compute.go has the steps of a pass, keep.go rule 1, complete.go and find.go rules 2 and 3, allocations.go who
// holds which address. causes.go is the one list of causes why an address is not given. reasons.go has the reasons of the
// condition, messages.go its texts.
package ipam
