// Package liveness decides which speakers are gone though their nodes are up. Its one job is to tell a report that is old from one
// that is not, at a cost that does not grow with the cluster. It refuses to elect holders, and to judge nodes: Kubernetes does.
//
// The speakers watch each other by gossip all the time, so a few of them can speak for all: the monitors, the first three that are
// alive by name. Each renews a Lease, and names in it the speakers that it misses. Who is on its own, because gossip is turned off or
// cut, is its own monitor. The controller looks at the Leases: a speaker is gone that all monitors miss; when no Lease is renewed
// any more, all are.
//
// Two traps are handled here. Clocks of other hosts are not compared: when a Lease was renewed is when the controller saw it change.
// And an API server that was away makes every Lease old at once: whoever could not look begins to count anew.
package liveness
