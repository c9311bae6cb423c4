package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

const (
	// watchInterval is how often a Watcher asks for each address: the resolution of Observations.
	watchInterval = 20 * time.Millisecond
	// minWatchPause is the least time between two questions, so that many addresses do not keep a small machine busy.
	minWatchPause = 2 * time.Millisecond
)

// Sample is who answered for an address between a question and the next.
type Sample struct {
	At      time.Time
	Holders []string // each once, sorted
}

// Watcher asks for each of some addresses every 20 ms (less often for more than ten), and remembers who answered.
type Watcher struct {
	client    Client
	addresses []netip.Addr
	opened    map[linkFamily]solicitor
	every     time.Duration
	stop      context.CancelFunc
	done      sync.WaitGroup

	mu   sync.Mutex
	seen Observations
	err  error
}

// Watch starts to ask for addresses again and again. The test's end stops it.
func (c Client) Watch(addresses ...netip.Addr) *Watcher {
	c.t.Helper()
	return c.WatchEvery(max(watchInterval, time.Duration(len(addresses))*minWatchPause), addresses...)
}

// WatchEvery is Watch that asks for each address as often as that. The questions are spread over the time: what is asked all at once does
// not fit into the sockets of those who are asked.
func (c Client) WatchEvery(every time.Duration, addresses ...netip.Addr) *Watcher {
	c.t.Helper()
	opened, on, err := c.solicitors(addresses)
	w := &Watcher{client: c, addresses: addresses, opened: opened, every: every, seen: Observations{}}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	c.t.Cleanup(func() { w.end() })
	check.Must(c.t, "watch addresses", err)
	for _, q := range opened {
		w.done.Go(func() { w.failed(ctx, receive(q, w.note)) })
	}
	w.done.Go(func() { w.failed(ctx, w.ask(ctx, on)) })
	return w
}

// askTogether is how many questions are asked at once.
const askTogether = 10

func (w *Watcher) ask(ctx context.Context, on map[netip.Addr]linkFamily) error {
	parts := slices.Collect(slices.Chunk(w.addresses, askTogether))
	if len(parts) == 0 {
		return nil
	}
	tick := time.NewTicker(w.every / time.Duration(len(parts)))
	defer tick.Stop()
	for i := 0; ; i++ {
		for _, address := range parts[i%len(parts)] {
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
	name := w.client.network.Owner(mac)
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

// failed records an error, unless the Watcher is ending.
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
func (w *Watcher) Seen() Observations {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := Observations{}
	for _, address := range w.addresses {
		samples := w.seen[address]
		seen[address] = slices.Clone(samples[:max(0, len(samples)-1)])
	}
	return seen
}

// Stop ends the asking and gives all that was seen.
func (w *Watcher) Stop() Observations {
	w.client.t.Helper()
	seen := w.Seen()
	w.end()
	check.Must(w.client.t, "watch addresses", w.err)
	return seen
}
