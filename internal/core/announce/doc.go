// Package announce decides what one node announces and by which protocol, or why not. Its one job is Compute, which turns
// a World into a Plan, and Explain, which asks the same rules about one Service over all nodes. It is pure: no I/O, no
// clock, no map order; the same World always gives the same Plan. It refuses to know how an address is announced
// (speaker/layer2, speaker/bgp) and which address a Service gets (internal/core/ipam).
//
// The files: world.go is what goes in and plan.go what comes out; eligibility.go is every reason against a node or an
// address, conditions.go the reasons of a Service's condition, explain.go their words; rules.go prepares a World for
// questions; layer2.go and segment.go find candidates and interfaces, bgp.go sessions and paths, affinity.go which node is best
// for a Service with session affinity, bfd.go BFD sessions.
package announce
