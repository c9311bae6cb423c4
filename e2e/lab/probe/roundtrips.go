package probe

import (
	"sync"
	"time"
)

// roundTripStep is how exactly round-trip times are told.
const roundTripStep = 100 * time.Microsecond

// RoundTrips counts how long answers took, in as much memory however many there are. It may be used by several goroutines.
type RoundTrips struct {
	mu sync.Mutex
	// counts are how many took so many steps; the last one has those that took longer than a connection may wait.
	counts [connectionTimeout/roundTripStep + 1]uint32
	total  int
}

// Add counts one.
func (r *RoundTrips) Add(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[min(max(int(took/roundTripStep), 0), len(r.counts)-1)]++
	r.total++
}

// Count is how many there are.
func (r *RoundTrips) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// Quantile is the time that so great a part of the answers took at most, between 0 and 1, to the next tenth of a millisecond; 0 without answers.
// A connection that waits asks nothing meanwhile: a stall counts once for each.
func (r *RoundTrips) Quantile(part float64) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := 0
	for steps, count := range r.counts {
		if sum += int(count); sum > 0 && float64(sum) >= part*float64(r.total) {
			return time.Duration(steps+1) * roundTripStep
		}
	}
	return 0
}

// Reset forgets all.
func (r *RoundTrips) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.counts[:])
	r.total = 0
}
