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
	// AccusedInterval is how long a speaker that was said to be gone, and is not, is a monitor: the others do not hear it.
	AccusedInterval = 10 * time.Minute
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

// Monitor decides whether a speaker is a monitor. The zero value was never said to be gone.
type Monitor struct{ accused time.Time }

// Accuse tells it that its own speaker, which decides this, is said to be gone.
func (m *Monitor) Accuse(now time.Time) { m.accused = now }

// Is reports whether a speaker is a monitor, given the speakers that are alive in order of name, whether it is itself among
// them or not. Able are those that know how to: speakers of an earlier version do not. Who was said to be gone speaks for itself.
func (m *Monitor) Is(now time.Time, self string, alive []string, able func(node string) bool) bool {
	if !m.accused.IsZero() && now.Sub(m.accused) < AccusedInterval {
		return true
	}
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
