// Package fault breaks the lab's network in the ways in which networks break: a node drops off it, the segment is
// partitioned, a link fails, a foreign host takes an address. The end of the test undoes it. It refuses to touch programs.
package fault

import (
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// Crash takes a host off the network at once, as a loss of power does.
func Crash(t check.T, network *segment.Segment, host string) {
	t.Helper()
	t.Cleanup(func() { Return(t, network, host) })
	check.Must(t, "crash "+host, network.SetCarrier(host, false))
}

// Return plugs a crashed host in again.
func Return(t check.T, network *segment.Segment, host string) {
	t.Helper()
	check.Must(t, "return "+host, network.SetCarrier(host, true))
}

// Partition separates the named hosts, together, from everybody else.
func Partition(t check.T, network *segment.Segment, hosts ...string) {
	t.Helper()
	t.Cleanup(func() { Heal(t, network) })
	check.Must(t, "partition", network.Partition(hosts...))
}

// Heal ends a partition.
func Heal(t check.T, network *segment.Segment) {
	t.Helper()
	check.Must(t, "heal the partition", network.Partition())
}
