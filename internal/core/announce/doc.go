// Package announce decides what one node announces, by which protocol, or why not. Its one job is Compute: World in,
// Plan out, and Explain, the same rules asked about one Service over all nodes. It is pure: no I/O, no clock, no map
// order; the same World always gives the same Plan. It refuses to know how anything is announced (speaker/layer2,
// speaker/bgp) and which address a Service gets (internal/core/ipam).
package announce
