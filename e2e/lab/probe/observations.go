package probe

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Observations are what a Watcher saw of each address, in order of time.
type Observations map[netip.Addr][]Sample

// Settled returns how long after the moment every address had the one holder that it kept to the end. It is an error, which
// names an address, when that has not been so for the time steady. Questions that nobody answered do not count here, since
// an answer may be late; Unheld counts them.
func (s Observations) Settled(moment time.Time, steady time.Duration) (after time.Duration, err error) {
	for address, samples := range s {
		since, holder := time.Time{}, ""
		for _, sample := range samples {
			switch {
			case sample.At.Before(moment) || len(sample.Holders) == 0:
			case len(sample.Holders) > 1:
				since, holder = time.Time{}, fmt.Sprint(sample.Holders)
			case since.IsZero() || sample.Holders[0] != holder:
				since, holder = sample.At, sample.Holders[0]
			}
		}
		if since.IsZero() {
			return 0, fmt.Errorf("%s is answered for by %q", address, holder)
		}
		if last := samples[len(samples)-1].At; last.Sub(since) < steady {
			return 0, fmt.Errorf("%s has been answered for by %s alone for %s only", address, holder, last.Sub(since))
		}
		after = max(after, since.Sub(moment))
	}
	return after, nil
}

// Unheld is the longest time for which nobody answered for an address, since the moment.
func (s Observations) Unheld(moment time.Time) time.Duration {
	return s.longest(moment, func(holders int) bool { return holders == 0 })
}

// Shared is the longest time for which more than one host answered for an address, since the moment.
func (s Observations) Shared(moment time.Time) time.Duration {
	return s.longest(moment, func(holders int) bool { return holders > 1 })
}

// longest is the longest time for which the number of holders of any one address satisfies such.
func (s Observations) longest(moment time.Time, such func(holders int) bool) (longest time.Duration) {
	for _, samples := range s {
		var since time.Time
		for i, sample := range samples {
			switch {
			case sample.At.Before(moment) || !such(len(sample.Holders)):
				since = time.Time{}
				continue
			case since.IsZero():
				since = sample.At
			}
			until := sample.At
			if i+1 < len(samples) {
				until = samples[i+1].At
			}
			longest = max(longest, until.Sub(since))
		}
	}
	return longest
}

// Moving tells whether an address changed hands between two moments, or was in more than one's; what was asked just before
// and after counts too.
func (s Observations) Moving(from, to time.Time) bool {
	const margin = 2 * watchInterval
	for address := range s {
		var within []Sample
		for _, sample := range s[address] {
			if sample.At.After(from.Add(-margin)) && sample.At.Before(to.Add(margin)) {
				within = append(within, sample)
			}
		}
		if held := (Observations{address: within}).Holders(address, time.Time{}); len(held) > 1 || strings.Contains(fmt.Sprint(held), "+") {
			return true
		}
	}
	return false
}

// Story tells who answered for each address that had not one and the same holder all the time, and from when on, counted from
// the moment: for the message of a test that fails.
func (s Observations) Story(moment time.Time) string {
	var stories []string
	for address, samples := range s {
		var changes []string
		before := "?"
		for _, sample := range samples {
			now := strings.Join(sample.Holders, "+")
			if sample.At.Before(moment) || now == before {
				continue
			}
			before = now
			changes = append(changes, fmt.Sprintf("%q from %.2fs", now, sample.At.Sub(moment).Seconds()))
		}
		if len(changes) > 1 {
			stories = append(stories, address.String()+" "+strings.Join(changes, ", "))
		}
	}
	slices.Sort(stories)
	return strings.Join(stories, "\n")
}

// Holders are who held an address since the moment, one after another, as "n1 n2 n1+n2 n1".
func (s Observations) Holders(address netip.Addr, moment time.Time) (sequence []string) {
	for _, sample := range s[address] {
		if sample.At.Before(moment) || len(sample.Holders) == 0 {
			continue
		}
		now := sample.Holders[0]
		for _, other := range sample.Holders[1:] {
			now += "+" + other
		}
		if len(sequence) == 0 || sequence[len(sequence)-1] != now {
			sequence = append(sequence, now)
		}
	}
	return sequence
}
