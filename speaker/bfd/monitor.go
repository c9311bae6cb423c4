package bfd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

const (
	// retry is how long a session that cannot be had waits for another attempt, and an interface that was replaced by one
	// of the same name for being noticed.
	retry = 3 * time.Second
	// patience is how long the end waits for farewells.
	patience = 1100 * time.Millisecond
)

// Config of a Monitor.
type Config struct {
	// Log receives what happens to sessions; nil: nothing is logged.
	Log *slog.Logger
	// Registerer of the metrics; nil: they are not registered.
	Registerer prometheus.Registerer
	// OnDown is called at once when a session that was up has failed, with its name and why in words; not when the peer
	// has taken it down on purpose (RFC 5882 section 4.2). Calls come one at a time and hold up nothing but each other.
	// Failures of the same session that come faster than the calls return are one call. nil: nobody is called.
	OnDown func(name, why string)
}

// Monitor holds the BFD sessions of a node.
type Monitor struct {
	log     *slog.Logger
	onDown  func(name, why string)
	metrics *metrics
	changes chan struct{}

	// changing orders Set, the retries and the end. It is taken before mu, and held while sockets are closed.
	changing sync.Mutex
	// mu guards everything below. Nothing that is done under it blocks.
	mu      sync.Mutex
	running bool
	desired []Session // Given before Start.

	watches map[path]*watch
	refused []refusal
	// leaving are told farewell, and are in no other map.
	leaving         map[*watch]struct{}
	byDiscriminator map[uint32]*watch
	byAddress       map[address]*watch
	listeners       map[ear]*listener
	// closing are listeners to be closed without mu, which their readers wait for.
	closing []*listener
	readers sync.WaitGroup

	queue queue
	timer *time.Timer
	armed time.Time // When the timer fires; zero: it has fired, or is not set.

	news  news
	inbox inbox
}

// New makes a Monitor without sessions. It does no I/O; nothing runs before Start.
func New(cfg Config) *Monitor {
	m := &Monitor{
		log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), onDown: cfg.OnDown,
		metrics: newMetrics(cfg.Registerer), changes: make(chan struct{}, 1),
		watches: map[path]*watch{}, leaving: map[*watch]struct{}{},
		byDiscriminator: map[uint32]*watch{}, byAddress: map[address]*watch{}, listeners: map[ear]*listener{},
		news: news{falls: map[string]string{}, wake: make(chan struct{}, 1)},
	}
	m.timer = time.NewTimer(time.Hour)
	m.timer.Stop()
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(collector{m})
	}
	return m
}

// Start runs the sessions until ctx ends, and then tells all peers AdminDown, which takes at most about a second. It returns
// nil when ctx ends.
func (m *Monitor) Start(ctx context.Context) error {
	m.changing.Lock()
	m.mu.Lock()
	m.running = true
	if err := m.apply(ctx, m.desired); err != nil {
		m.say(slog.LevelError, "BFD sessions are not all as desired", "error", err)
	}
	m.desired = nil
	m.unlock()
	m.changing.Unlock()

	told := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() { m.tell(told) })
	m.run(ctx)
	m.end()
	close(told)
	teller.Wait()
	return nil
}

// run is the clock of the sessions.
func (m *Monitor) run(ctx context.Context) {
	ticker := time.NewTicker(retry)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.timer.C:
			m.tick()
		case <-ticker.C:
			m.tend(ctx)
		}
	}
}

// end says farewell and closes all sockets.
func (m *Monitor) end() {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	m.running = false
	for _, w := range m.watches {
		m.leave(w)
	}
	m.mu.Unlock()

	for deadline := time.After(patience); !m.allGone(); {
		select {
		case <-m.timer.C:
			m.tick()
		case <-deadline:
			m.retireAll()
		}
	}
	m.mu.Lock()
	m.refused = nil
	m.prune()
	m.unlock()
	m.readers.Wait()
	m.wake()
}

func (m *Monitor) allGone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.leaving) == 0
}

func (m *Monitor) retireAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w := range m.leaving {
		m.retire(w)
	}
}

// Set makes the sessions those desired: the whole of it, each name and each path once. A session whose profile alone has
// changed stays up and agrees on it with the peer; one that is no longer desired is told AdminDown. It goes on after a
// failure and returns all of them; the sessions concerned say so in their status too, and are tried again every few
// seconds. It does not wait for sessions to come up. Before Start, desired is remembered. The caller must not change
// desired afterwards.
func (m *Monitor) Set(ctx context.Context, desired []Session) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	defer m.unlock()
	if !m.running {
		m.desired = desired
		return nil
	}
	return m.apply(ctx, desired)
}

// Changes is ready when the state of some session, or of its peer, or what is wrong with it, has changed since it was last
// read. It carries nothing, holds one wake, and is never closed.
func (m *Monitor) Changes() <-chan struct{} { return m.changes }

func (m *Monitor) wake() {
	select {
	case m.changes <- struct{}{}:
	default:
	}
}

// unlock gives mu back, and closes what could not be closed with it. It needs changing.
func (m *Monitor) unlock() {
	closing := m.closing
	m.closing = nil
	m.mu.Unlock()
	for _, l := range closing {
		_ = l.conn.Close() // Nothing is lost with a socket that only receives.
	}
}

// apply is Set with the locks held.
func (m *Monitor) apply(ctx context.Context, desired []Session) error {
	order, wanted, refused := sortOut(desired)
	m.refuse(refused)
	var errs []error
	for _, r := range refused {
		errs = append(errs, fmt.Errorf("session %s: %w", r.name, r.err))
	}
	for p, w := range m.watches {
		if wanted[p] == nil {
			m.leave(w)
		}
	}
	links := linkIndexes{}
	for _, p := range order {
		w := m.watches[p]
		if w == nil {
			m.hush(p)
			w = newWatch(p, m.discriminator(), wanted[p], time.Now())
			m.watches[p], m.byDiscriminator[w.shown.LocalDiscr] = w, w
			m.wake()
		} else {
			m.change(w, wanted[p])
		}
		errs = append(errs, m.open(ctx, w, links))
	}
	m.prune()
	return errors.Join(errs...)
}

// refuse remembers what cannot be had.
func (m *Monitor) refuse(refused []refusal) {
	if len(refused) != len(m.refused) {
		m.wake()
	}
	m.refused = refused
}

// change gives a session that runs another name or other parameters.
func (m *Monitor) change(w *watch, s *Session) {
	w.name, w.minimumTTL = s.Name, minimumTTLOf(s)
	if want := parametersOf(s); want != w.parameters {
		w.parameters = want
		w.machine.SetParameters(want)
		m.follow(w, time.Now(), bfdsession.NoEvent)
	}
}

// tend tries again what could not be had, and follows interfaces that were replaced.
func (m *Monitor) tend(ctx context.Context) {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	defer m.unlock()
	links := linkIndexes{}
	m.forsake(links)
	for _, w := range m.watches {
		_ = m.open(ctx, w, links) // The status says it, and the log when it is new.
	}
	m.prune()
}

// discriminator draws one that no session has. Nobody off the path can guess it, and so cannot speak for a peer.
func (m *Monitor) discriminator() uint32 {
	for {
		drawn := rand.Uint32() //nolint:gosec // The generator is ChaCha8, seeded by the kernel.
		if _, taken := m.byDiscriminator[drawn]; !taken && drawn != 0 {
			return drawn
		}
	}
}
