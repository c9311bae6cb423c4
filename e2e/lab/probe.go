package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// probeEvery is how often a prober connects: an outage is known to this.
	probeEvery = 10 * time.Millisecond
	// probeTimeout is how long an attempt may take. It is under the second after which TCP sends a lost SYN again, so that
	// a packet that was lost is seen as lost.
	probeTimeout = 900 * time.Millisecond
)

// Attempt is one connection of a prober: when it began, and who served it or why nobody did.
type Attempt struct {
	Began time.Time
	By    Answer
	Err   error
}

// Prober opens a new connection every 10 ms, whatever became of those before, until it is stopped.
type Prober struct {
	client Client
	url    string
	stop   context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	attempts []Attempt
}

// Probe starts to ask for the page again and again.
func (c Client) Probe(url string) *Prober {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Prober{client: c, url: url, stop: cancel, done: make(chan struct{})}
	c.c.t.Cleanup(cancel)
	go p.run(ctx)
	return p
}

func (p *Prober) run(ctx context.Context) {
	defer close(p.done)
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	for tick := time.NewTicker(probeEvery); ; {
		inFlight.Go(p.attempt)
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

func (p *Prober) attempt() {
	a := Attempt{Began: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	var body string
	if body, a.Err = get(ctx, p.client.Host, p.url); a.Err == nil {
		a.By, a.Err = parseAnswer(body)
	}
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

// Outage is the longest time from the beginning of an attempt that failed to that of the next that was served, or to
// the last one when none was.
func (r Report) Outage() (longest time.Duration) {
	var since time.Time
	for _, a := range r.Attempts {
		switch {
		case a.Err != nil && since.IsZero():
			since = a.Began
		case a.Err == nil && !since.IsZero():
			longest, since = max(longest, a.Began.Sub(since)), time.Time{}
		}
	}
	if n := len(r.Attempts); n > 0 && !since.IsZero() {
		longest = max(longest, r.Attempts[n-1].Began.Sub(since)+probeEvery)
	}
	return longest
}

// Span is the time from the first attempt that failed to the last one.
func (r Report) Span() time.Duration {
	var first, last time.Time
	for _, a := range r.Attempts {
		if a.Err == nil {
			continue
		}
		if first.IsZero() {
			first = a.Began
		}
		last = a.Began.Add(probeEvery)
	}
	return last.Sub(first)
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
	return fmt.Sprintf("%d connections, %d failed, longest outage %d ms", len(r.Attempts), r.Failed(), r.Outage().Milliseconds())
}
