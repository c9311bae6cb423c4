package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// watchEvery is how often a Watcher asks for each address: who holds it is known to this.
	watchEvery = 20 * time.Millisecond
	// watchPace is the least time between two questions, so that many addresses do not keep a small machine busy.
	watchPace = 2 * time.Millisecond
)

// Sample is who answered for an address between a question and the next.
type Sample struct {
	At      time.Time
	Holders []string // each once, sorted
}

// Watcher asks for each of some addresses every 20 ms (more seldom when they are more than ten), and remembers who answered.
type Watcher struct {
	client    Client
	addresses []netip.Addr
	opened    map[segment]inquirer
	stop      context.CancelFunc
	done      sync.WaitGroup

	mu   sync.Mutex
	seen Sightings
	err  error
}

// Watch starts to ask for addresses again and again. The test's end stops it.
func (c Client) Watch(addresses ...netip.Addr) *Watcher {
	c.c.t.Helper()
	opened, on, err := c.inquirers(addresses)
	w := &Watcher{client: c, addresses: addresses, opened: opened, seen: Sightings{}}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	c.c.t.Cleanup(func() { w.end() })
	c.c.must("watch addresses", err)
	for _, q := range opened {
		w.done.Go(func() { w.failed(ctx, hear(q, w.note)) })
	}
	w.done.Go(func() { w.failed(ctx, w.ask(ctx, on)) })
	return w
}

func (w *Watcher) ask(ctx context.Context, on map[netip.Addr]segment) error {
	tick := time.NewTicker(max(watchEvery, time.Duration(len(w.addresses))*watchPace))
	defer tick.Stop()
	for {
		for _, address := range w.addresses {
			w.mu.Lock()
			w.seen[address] = append(w.seen[address], Sample{At: time.Now()})
			w.mu.Unlock()
			if err := w.opened[on[address]].ask(address); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// note adds an answer to the latest sample of its address.
func (w *Watcher) note(address netip.Addr, mac net.HardwareAddr) (enough bool) {
	name := w.client.c.Owner(mac)
	w.mu.Lock()
	defer w.mu.Unlock()
	samples := w.seen[address]
	if len(samples) == 0 {
		return false
	}
	last := &samples[len(samples)-1]
	if !slices.Contains(last.Holders, name) {
		last.Holders = slices.Sorted(slices.Values(append([]string{name}, last.Holders...))) // anew: Seen has given out the old
	}
	return false
}

// failed notes an error, unless it comes of the end.
func (w *Watcher) failed(ctx context.Context, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	w.err = errors.Join(w.err, err)
}

func (w *Watcher) end() {
	w.stop()
	for _, q := range w.opened {
		_ = q.Close()
	}
	w.done.Wait()
}

// Seen is what was seen so far. The question that has just been asked is left out: it may not be answered yet.
func (w *Watcher) Seen() Sightings {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := Sightings{}
	for _, address := range w.addresses {
		samples := w.seen[address]
		seen[address] = slices.Clone(samples[:max(0, len(samples)-1)])
	}
	return seen
}

// Stop ends the asking and gives all that was seen.
func (w *Watcher) Stop() Sightings {
	w.client.c.t.Helper()
	seen := w.Seen()
	w.end()
	w.client.c.must("watch addresses", w.err)
	return seen
}

// Sightings are what a Watcher saw of each address, in order of time.
type Sightings map[netip.Addr][]Sample

// Settled gives how long after the moment every address had come to one holder that it kept to the end. Until that has
// been so for a while, `steady`, it is an error that says of which address it is not. Questions that nobody answered do not
// count here, since an answer may be late; Unheld counts them.
func (s Sightings) Settled(moment time.Time, steady time.Duration) (after time.Duration, err error) {
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
func (s Sightings) Unheld(moment time.Time) time.Duration {
	return s.longest(moment, func(holders int) bool { return holders == 0 })
}

// Shared is the longest time for which more than one host answered for an address, since the moment.
func (s Sightings) Shared(moment time.Time) time.Duration {
	return s.longest(moment, func(holders int) bool { return holders > 1 })
}

// longest is the longest run of samples of any one address whose number of holders is such.
func (s Sightings) longest(moment time.Time, such func(holders int) bool) (longest time.Duration) {
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
func (s Sightings) Moving(from, to time.Time) bool {
	const margin = 2 * watchEvery
	for address := range s {
		var within []Sample
		for _, sample := range s[address] {
			if sample.At.After(from.Add(-margin)) && sample.At.Before(to.Add(margin)) {
				within = append(within, sample)
			}
		}
		if story := (Sightings{address: within}).Holders(address, time.Time{}); len(story) > 1 || strings.Contains(fmt.Sprint(story), "+") {
			return true
		}
	}
	return false
}

// Holders are who held an address since the moment, one after another, as "n1 n2 n1+n2 n1".
func (s Sightings) Holders(address netip.Addr, moment time.Time) (story []string) {
	for _, sample := range s[address] {
		if sample.At.Before(moment) || len(sample.Holders) == 0 {
			continue
		}
		now := sample.Holders[0]
		for _, other := range sample.Holders[1:] {
			now += "+" + other
		}
		if len(story) == 0 || story[len(story)-1] != now {
			story = append(story, now)
		}
	}
	return story
}
