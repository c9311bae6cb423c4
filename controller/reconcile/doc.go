// Package reconcile is the controller's loop: look at the cluster, compute who holds which address, write it down, report.
// Its one job is that round trip. It refuses to decide who gets what (internal/core/ipam) or who announces what
// (internal/core/announce); it announces nothing and keeps no state that a restart would miss, but for addresses that rest.
//
// Two of the three traps of DESIGN.md section 1 are handled here:
//
// A cache lags behind our own writes. Every write carries the resourceVersion it was decided on and is refused if the
// Service changed since. What was written and is not seen yet is laid over the cache (overlay), so no address is ever
// given twice because of a stale read; a write whose fate is unknown counts as made. A new leader first makes sure that its
// cache has seen the writes of the one before (fresh).
//
// A bad object is that object's problem: it gets a condition that says what is wrong, and everything else goes on.
//
// A Service is written at most once per pass: addresses, the annotation that names their pools and our conditions go in
// one patch of its status, which touches nothing that belongs to others.
package reconcile
