package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

const (
	// probeInterval is how often a prober connects: the resolution of an outage.
	probeInterval = 10 * time.Millisecond
	// probeTimeout is how long an attempt may take. It is under the second after which TCP sends a lost SYN again, so that
	// a packet that was lost is seen as lost.
	probeTimeout = 900 * time.Millisecond
)

// Attempt is one connection of a prober: for which page, when it began, how long it took, whether it came to be open, and
// who served it or why nobody did.
type Attempt struct {
	URL    string
	Began  time.Time
	Took   time.Duration
	Opened bool
	By     Answer
	Err    error
}

// Prober opens a new connection every 10 ms, whatever became of those before, until it is stopped.
type Prober struct {
	client Client
	urls   []string
	stop   context.CancelFunc
	done   chan struct{}
	forget atomic.Bool

	mu       sync.Mutex
	attempts []Attempt
}

// Forget has the client's kernel forget, before each connection from now on, which host has the address. Without that a
// client that has found the address once does not see that nobody answers for it any more.
func (p *Prober) Forget() { p.forget.Store(true) }

// Probe starts to ask for the page again and again; of several pages for one after the other.
func (c Client) Probe(urls ...string) *Prober {
	c.t.Helper()
	for _, url := range urls {
		check.Must(c.t, "forget old connections", c.forgetUnserved(url))
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Prober{client: c, urls: urls, stop: cancel, done: make(chan struct{})}
	c.t.Cleanup(cancel)
	go p.run(ctx)
	return p
}

func (p *Prober) run(ctx context.Context) {
	defer close(p.done)
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for i := 0; ; i++ {
		url := p.urls[i%len(p.urls)]
		if p.forget.Load() {
			p.client.forget(url)
		}
		inFlight.Go(func() { p.attempt(url) })
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *Prober) attempt(url string) {
	a := Attempt{URL: url, Began: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { a.Opened = true }})
	var body string
	if body, a.Err = Page(ctx, p.client.Namespace, url); a.Err == nil {
		a.By, a.Err = parseAnswer(body)
	}
	a.Took = time.Since(a.Began)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempts = append(p.attempts, a)
}

// ServedSince tells whether an attempt that began after the moment was served: a fail-over is over when one is.
func (p *Prober) ServedSince(moment time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.attempts {
		if a.Err == nil && a.Began.After(moment) {
			return nil
		}
	}
	return fmt.Errorf("no connection that began after %s has been served", moment.Format("15:04:05.000"))
}

// Failing tells whether an attempt has failed so far.
func (p *Prober) Failing() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if (Report{p.attempts}).Failed() > 0 {
		return nil
	}
	return errors.New("no connection has failed")
}

// Stop ends the probing, waits for the attempts under way, and gives the report.
func (p *Prober) Stop() Report {
	p.stop()
	<-p.done
	slices.SortFunc(p.attempts, func(a, b Attempt) int { return a.Began.Compare(b.Began) })
	return Report{p.attempts}
}

// Report is what a prober saw, in the order in which the attempts began.
type Report struct{ Attempts []Attempt }

// Failed is the number of attempts that were not served.
func (r Report) Failed() (n int) {
	for _, a := range r.Attempts {
		if a.Err != nil {
			n++
		}
	}
	return n
}

// Broken are the attempts that were open and then failed. That happens to those that are under way when an address moves to
// another node which does not pass them on: its service proxy does not know the connection, and the pod's side resets it.
func (r Report) Broken() (broken []Attempt) {
	for _, a := range r.Attempts {
		if a.Err != nil && a.Opened {
			broken = append(broken, a)
		}
	}
	return broken
}

// Outage is the longest time for which a page was not served: from the beginning of an attempt that failed to the beginning
// of the next one for the same page that was served, or of the last one when none was.
func (r Report) Outage() (longest time.Duration) {
	since := map[string]time.Time{}
	for _, a := range r.Attempts {
		began, failing := since[a.URL]
		switch {
		case a.Err != nil && !failing:
			since[a.URL] = a.Began
		case a.Err == nil && failing:
			longest = max(longest, a.Began.Sub(began))
			delete(since, a.URL)
		}
	}
	for _, began := range since {
		longest = max(longest, r.Attempts[len(r.Attempts)-1].Began.Sub(began)+probeInterval)
	}
	return longest
}

// FailedBetween are the beginnings of the first attempt that failed and of the last one, zero if none did.
func (r Report) FailedBetween() (first, last time.Time) {
	for _, a := range r.Attempts {
		if a.Err == nil {
			continue
		}
		if first.IsZero() {
			first = a.Began
		}
		last = a.Began
	}
	return first, last
}

// Span is the time from the first attempt that failed to the last one.
func (r Report) Span() time.Duration {
	first, last := r.FailedBetween()
	if first.IsZero() {
		return 0
	}
	return last.Add(probeInterval).Sub(first)
}

// Slowest is the longest time that an attempt took which was served.
func (r Report) Slowest() (slowest time.Duration) {
	for _, a := range r.Attempts {
		if a.Err == nil {
			slowest = max(slowest, a.Took)
		}
	}
	return slowest
}

// FirstError is why the first attempt that failed did so, nil if none did.
func (r Report) FirstError() error {
	for _, a := range r.Attempts {
		if a.Err != nil {
			return a.Err
		}
	}
	return nil
}

func (r Report) String() string {
	return fmt.Sprintf("%d connections, %d failed, longest outage %d ms, slowest %d ms",
		len(r.Attempts), r.Failed(), r.Outage().Milliseconds(), r.Slowest().Milliseconds())
}
