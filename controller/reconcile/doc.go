// Package reconcile is the controller's loop: look at the cluster, compute who holds which address, write it, report. Its one
// job is that round trip. It refuses to decide who gets which address (internal/core/ipam), who announces it
// (internal/core/announce) and what a status says (internal/core/status). It announces nothing, and keeps no state that a
// restart would lose, except for the reuse delays of addresses.
//
// Two traps are handled here:
//
// A cache lags behind our own writes. Every write carries the resourceVersion it was decided on, and the API server refuses it
// if the Service changed since. What was written and is not in the cache yet is kept in the assume cache, so that no address
// is given twice because of a stale read; a write whose result is unknown counts as made. A new leader first makes sure that
// its cache has caught up with the writes of the leader before it.
//
// A bad object is that object's problem: it gets a condition that says what is wrong, and everything else goes on.
//
// A Service is written at most once per pass: addresses, the annotation with their pools and Daymark's conditions go in one
// patch of its status, which changes nothing that belongs to others.
package reconcile
