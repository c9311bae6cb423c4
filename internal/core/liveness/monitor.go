package liveness

import (
	"slices"
	"time"
)

const (
	// monitors is how many speakers speak for all.
	monitors = 3
	// Grace is how long a speaker is missed before it is named: a rolling update takes it away for some seconds.
	Grace = 10 * time.Second
	// LookInterval is how often a monitor looks who is missing.
	LookInterval = 5 * time.Second
	// RenewInterval is the time between two renewals of a monitor's Lease.
	RenewInterval = 5 * time.Second
	// LonelyRenewInterval is that of a monitor that knows of nobody else: where gossip is turned off, all are.
	LonelyRenewInterval = 10 * time.Second
	// Duration is how long a Lease is good without a renewal.
	Duration = 15 * time.Second
	// LonelyDuration is that of a monitor that knows of nobody else.
	LonelyDuration = 20 * time.Second
)

// IsMonitor reports whether a speaker is a monitor, given the speakers that are alive in order of name, whether it is itself among
// them or not. Able are those that know how to: speakers of an earlier version do not.
func IsMonitor(self string, alive []string, able func(node string) bool) bool {
	before := 0
	for _, node := range alive {
		if node >= self {
			break
		}
		if able(node) {
			before++
		}
	}
	return before < monitors
}

// Absence remembers since when speakers are missed. The zero value is ready for use.
type Absence struct{ since map[string]time.Time }

// Missing returns the expected speakers that have not been alive for the time Grace, in order of name.
func (a *Absence) Missing(now time.Time, expected, alive []string) []string {
	since := map[string]time.Time{}
	var missing []string
	for _, node := range expected {
		if _, found := slices.BinarySearch(alive, node); found {
			continue
		}
		first, known := a.since[node]
		if !known {
			first = now
		}
		since[node] = first
		if now.Sub(first) >= Grace {
			missing = append(missing, node)
		}
	}
	a.since = since
	slices.Sort(missing)
	return missing
}
