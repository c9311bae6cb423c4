package liveness

import (
	"maps"
	"slices"
	"time"
)

// maxPause is the longest time between two looks. After a longer one nothing is known of the time between.
const maxPause = 12 * time.Second

// Lease is what the Lease of a monitor says.
type Lease struct {
	// Node of the monitor.
	Node string
	// Renewed is another value after each renewal.
	Renewed string
	// Duration for which the Lease is good.
	Duration time.Duration
	// Missing are the nodes whose speakers the monitor misses.
	Missing []string
}

// Judge judges by what it has seen. The zero value has seen nothing.
type Judge struct {
	looked time.Time
	// leases as they were last seen, by node, and when each was last seen renewed.
	leases map[string]seenLease
	// heard is when speakers gave a sign of life themselves.
	heard map[string]time.Time
}

type seenLease struct {
	Lease
	at time.Time
}

func (l *seenLease) live(now time.Time) bool { return now.Sub(l.at) < l.Duration }

// Look takes in all Leases that there are, and judges.
func (j *Judge) Look(now time.Time, all []Lease) Verdict {
	if now.Sub(j.looked) > maxPause {
		*j = Judge{}
	}
	j.looked = now
	leases := make(map[string]seenLease, len(all))
	for _, lease := range all {
		at := now
		if before, known := j.leases[lease.Node]; known && before.Renewed == lease.Renewed {
			at = before.at
		}
		leases[lease.Node] = seenLease{lease, at}
	}
	j.leases = leases
	maps.DeleteFunc(j.heard, func(_ string, at time.Time) bool { return now.Sub(at) >= Duration })
	return j.verdict(now)
}

// Heard notes that a speaker gave a sign of life otherwise, and judges again. For a while it is not gone, whoever misses it.
func (j *Judge) Heard(now time.Time, node string) Verdict {
	if j.heard == nil {
		j.heard = map[string]time.Time{}
	}
	j.heard[node] = now
	return j.verdict(now)
}

func (j *Judge) verdict(now time.Time) Verdict {
	v := Verdict{all: len(j.leases) > 0, alive: slices.Sorted(maps.Keys(j.heard))}
	misses, live := map[string]int{}, 0
	for node, lease := range j.leases {
		if !lease.live(now) {
			continue
		}
		live++
		v.all = false
		v.alive = append(v.alive, node)
		for _, missing := range slices.Compact(slices.Sorted(slices.Values(lease.Missing))) {
			misses[missing]++
		}
	}
	for node, count := range misses {
		if count == live {
			v.missing = append(v.missing, node)
		}
	}
	slices.Sort(v.alive)
	slices.Sort(v.missing)
	return v
}

// Verdict says which speakers are gone. The zero value knows of none.
type Verdict struct {
	// all: no monitor is left.
	all bool
	// alive are sure to be; missing are those that all monitors miss. Both are sorted.
	alive, missing []string
}

// Gone reports whether the speaker of a node is gone.
func (v *Verdict) Gone(node string) bool {
	if _, alive := slices.BinarySearch(v.alive, node); alive {
		return false
	}
	_, missing := slices.BinarySearch(v.missing, node)
	return v.all || missing
}

// Equal reports whether two verdicts say the same.
func (v *Verdict) Equal(other *Verdict) bool {
	return v.all == other.all && slices.Equal(v.alive, other.alive) && slices.Equal(v.missing, other.missing)
}
