// Package ipam decides who holds which address. Its one job is Compute: World in, Plan out, with a typed reason for every
// address that is asked for and not had. It is pure: no I/O, no clock, no map order; the same World always gives the same
// Plan, in whatever order its parts are listed. It refuses to know how a Plan is written down (controller/reconcile) or
// who announces the addresses (internal/core/announce).
//
// The rules, in the order they apply (DESIGN.md section 4):
//
//  1. A Service keeps the addresses in its status while they are valid: a pool contains them (the one that gave them
//     counts as long as it is there, even when it cannot be read), the Service wants their family, and nobody else has them
//     whom it may not share with. What a pool would give today does not matter for what it has given. Of two Services that
//     show one address and may not share it, the one that did not hold it in the pass before loses it, then the one whose
//     own terms changed, else the younger.
//  2. When all that is held is admitted, and not before, addresses are given: to the oldest Service first, from its
//     reservations, from what it had a moment ago, from addresses it may share, then from the pools by priority and name,
//     the lowest free address.
//  3. A Service that asks for other addresses or pools than it has keeps what it has until it can have what it asks for.
//  4. Nothing that any Service's status still shows is given to another: what is given up in this pass is free in the next.
//
// Rule 4 makes addresses monotonic within a pass: they are taken, never freed. So the search for a free one never looks
// back, and costs the same in a pool of any size and however full it is.
package ipam
