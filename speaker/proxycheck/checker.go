package proxycheck

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/progress"
)

const (
	// interval between two looks, and between two at where a proxy was that is missed: it wants its health-check ports about 100 ms
	// after it answers, and if it cannot have them then, not before it has another reason to write its rules.
	interval, missedInterval = time.Second, 50 * time.Millisecond
	// missedTime is for how long a proxy is missed: to ask so often takes as much as all else that a speaker does at rest, and one that
	// has not been there for so long may never return.
	missedTime = 10 * time.Minute
)

// Result is the newest answer.
type Result struct {
	Check proxyhealth.Check
	// URL that answered, or, when none did, the one that did last; empty: none ever has.
	URL string
	// Text says in words what the answer is.
	Text string
}

// Checker asks the service proxy of one node.
type Checker struct {
	steps   progress.Steps
	target  Target
	log     *slog.Logger
	client  *http.Client
	changes chan struct{}

	mu        sync.Mutex
	addresses []netip.Addr
	// set is closed by the first Set; known, when there is a result.
	set    chan struct{}
	isSet  bool
	known  bool
	result Result

	// lookedAt is when the proxy was last looked for everywhere, and thereAt when it was last there. Only Start uses them.
	lookedAt, thereAt time.Time
}

// New returns a Checker that asks at a target, of a Target that is nowhere its only result is that nobody asks.
func New(target Target, log *slog.Logger, registerer prometheus.Registerer) *Checker {
	c := &Checker{target: target, log: log, client: newClient(), changes: make(chan struct{}, 1), set: make(chan struct{})}
	if c.known = target.off(); c.known {
		c.result = Result{Text: "--proxy-health-url is none, so the service proxy is not asked"}
	}
	if registerer != nil {
		registerer.MustRegister(collector{c})
	}
	return c
}

// Set says which addresses the node has. The proxy may listen at one of them. Nothing is asked before.
func (c *Checker) Set(addresses []netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addresses = addresses
	if !c.isSet {
		c.isSet = true
		close(c.set)
	}
}

// Result returns the newest result, and false as long as there is none, which is for a few seconds at most.
func (c *Checker) Result() (Result, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result, c.known
}

// Changes wakes its one receiver after the result has changed.
func (c *Checker) Changes() <-chan struct{} { return c.changes }

// Alive returns an error when a question does not come to its end.
func (c *Checker) Alive() error { return c.steps.Stuck(progress.StuckAfter) }

// Start asks until ctx ends.
func (c *Checker) Start(ctx context.Context) error {
	if c.target.off() {
		<-ctx.Done()
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-c.set:
	}
	for {
		wait := c.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// look asks once, and returns when to ask again.
func (c *Checker) look(ctx context.Context) time.Duration {
	c.mu.Lock()
	before, addresses := c.result, c.addresses
	c.mu.Unlock()
	if c.missed(before) && time.Since(c.lookedAt) < interval {
		if check, _ := c.ask(ctx, before.URL); check == proxyhealth.Absent {
			return missedInterval
		}
	}
	c.lookedAt = time.Now()
	now := c.find(ctx, before.URL, addresses)
	if ctx.Err() != nil {
		return interval
	}
	c.mu.Lock()
	changed := !c.known || now.Check != c.result.Check
	c.result, c.known = now, true
	c.mu.Unlock()
	if changed {
		c.log.Info("service proxy was asked", "answer", now.Text)
		select {
		case c.changes <- struct{}{}:
		default:
		}
	}
	if now.Check != proxyhealth.Absent {
		c.thereAt = c.lookedAt
	}
	if c.missed(now) {
		return missedInterval
	}
	return interval
}

// ask asks at one URL.
func (c *Checker) ask(ctx context.Context, url string) (proxyhealth.Check, string) {
	defer c.steps.Begin("asks the service proxy")()
	return ask(ctx, c.client, url)
}

// missed reports whether a proxy has been there not long ago and is not any more.
func (c *Checker) missed(r Result) bool {
	return r.Check == proxyhealth.Absent && r.URL != "" && time.Since(c.thereAt) < missedTime
}

// find asks where the proxy answered last, and if it does not any more, everywhere else.
func (c *Checker) find(ctx context.Context, last string, addresses []netip.Addr) Result {
	urls := c.target.urls(addresses)
	if last != "" {
		urls = append([]string{last}, slices.DeleteFunc(urls, func(url string) bool { return url == last })...)
	}
	var absent []string
	for _, url := range urls {
		check, text := c.ask(ctx, url)
		if check != proxyhealth.Absent {
			return Result{check, url, text}
		}
		absent = append(absent, text)
	}
	return Result{proxyhealth.Absent, last, strings.Join(absent, "; ")}
}
