package bfd

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/progress"
	"github.com/daymark-lb/daymark/speaker/alarm"
	"github.com/daymark-lb/daymark/speaker/trace"
)

const (
	// retryInterval is how often sessions without sockets are tried again, and interfaces are checked for having been
	// replaced by others of the same name.
	retryInterval = 3 * time.Second
	// shutdownTimeout is how long the shutdown waits until all peers have been sent AdminDown.
	shutdownTimeout = 1100 * time.Millisecond
	// agreeTimeout is how long the shutdown waits until all peers have agreed to wait for the next process.
	agreeTimeout = time.Second
	// restartTime is how long peers wait for the next process: as long as a Pod may need to be replaced where the image is there. A node
	// that dies meanwhile is not noticed before.
	restartTime = 30 * time.Second
)

// Config of a Monitor.
type Config struct {
	// Log receives what happens to sessions; with nil, nothing is logged.
	Log *slog.Logger
	// Registerer of the metrics; with nil, they are not registered.
	Registerer prometheus.Registerer
	// OnDown is called at once when a session that was up has failed, with its name and the reason; not when the peer has
	// taken it down by intention (RFC 5882 section 4.2). There is one call at a time, which delays other calls only. When a
	// session fails again before its call was made, both failures are one call. It may be nil.
	OnDown func(name, reason string)
	// OnUp is called when a session has come up, in the same way, after OnDown of a failure before. It may be nil.
	OnUp func(name string)
	// Resume: this process may follow one that ended without AdminDown, so a new session first listens whether its peer has
	// one with that process which is still up, for listenTime at most, and then goes on with it.
	Resume bool
	// Tracer is told how sessions are. It may be nil.
	Tracer *trace.Tracer
}

// Monitor holds the BFD sessions of a node.
type Monitor struct {
	steps   progress.Steps
	log     *slog.Logger
	onDown  func(name, reason string)
	onUp    func(name string)
	resumes bool
	metrics *metrics
	tracer  *trace.Tracer
	changes chan struct{}

	// setMu serializes Set, the retries and the shutdown. It is taken before mu, and held while sockets are closed.
	setMu sync.Mutex
	// mu guards everything below. Nothing that is done under it blocks.
	mu      sync.Mutex
	running bool
	desired []announce.BFDSession // Set before Start.
	// restarting: another process follows this one when it ends.
	restarting bool

	sessions map[path]*session
	rejected []rejection
	// adminDown are removed sessions whose peers are still being sent AdminDown. They are in no other map.
	adminDown map[*session]struct{}
	// outlasting are sessions whose peers are being asked to wait for the next process. They are in the other maps, too.
	outlasting      map[*session]struct{}
	byDiscriminator map[uint32]*session
	byAddress       map[demuxKey]*session
	listeners       map[listenerKey]*listener
	// closing are listeners to be closed without mu, because their readers wait for mu.
	closing []*listener
	readers sync.WaitGroup

	queue sessionHeap
	// alarm fires when the first session in the queue is due. removed is ready when the last of adminDown, or of outlasting, is removed.
	alarm   alarm.Alarm
	removed chan struct{}

	notifications notifications
	receiveBuffer receiveBuffer
}

// New makes a Monitor without sessions. It does no I/O; nothing runs before Start.
func New(cfg Config) *Monitor {
	m := &Monitor{
		log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), onDown: cfg.OnDown, onUp: cfg.OnUp, resumes: cfg.Resume,
		metrics: newMetrics(cfg.Registerer), tracer: cfg.Tracer, changes: make(chan struct{}, 1),
		sessions: map[path]*session{}, adminDown: map[*session]struct{}{}, outlasting: map[*session]struct{}{},
		byDiscriminator: map[uint32]*session{}, byAddress: map[demuxKey]*session{}, listeners: map[listenerKey]*listener{},
		notifications: notifications{
			failures: map[string]string{}, cameUp: map[string]bool{}, wake: make(chan struct{}, 1),
		},
		removed: make(chan struct{}, 1),
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(collector{m})
	}
	return m
}

// Restarts says whether another process will follow this one. If so, the end of Start does not end the sessions: peers are asked to wait
// for that process for restartTime, by a Poll Sequence. AdminDown is no failure of the path (RFC 5882 section 4.2), but BIRD takes it for
// one while it keeps the routes of a BGP session that restarts.
func (m *Monitor) Restarts(will bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.restarting = will
}

// Start runs the sessions until ctx ends, and then sends AdminDown to all peers, which takes about a second at most, or lets their sessions
// outlast this process (Restarts), which takes another one at most where a peer does not answer. It
// fails when the kernel has no timer left.
func (m *Monitor) Start(ctx context.Context) error {
	if err := m.alarm.Open(); err != nil {
		return err //nolint:wrapcheck // It says what it is.
	}
	m.setMu.Lock()
	m.mu.Lock()
	m.running = true
	if err := m.apply(ctx, m.desired); err != nil {
		m.queueLog(slog.LevelError, "BFD sessions are not all as desired", "error", err)
	}
	m.desired = nil
	m.unlockAndClose()
	m.setMu.Unlock()

	ended := make(chan struct{})
	var working sync.WaitGroup
	working.Go(func() { m.notifyLoop(ended) })
	working.Go(func() { m.alarm.Run(m.alarmFired) })
	m.retry(ctx)
	m.shutdown()
	m.alarm.Close()
	close(ended)
	working.Wait()
	return nil
}

// Alive returns an error when a step of one of the loops does not come to its end. What handles packets has none of its own: it holds
// the lock that the others need, and that Status takes.
func (m *Monitor) Alive() error { return m.steps.Stuck(progress.StuckAfter) }

// retry tries sessions without sockets again, until ctx ends.
func (m *Monitor) retry(ctx context.Context) {
	ticker := time.NewTicker(retryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			m.retryAll(ctx)
		}
	}
}

// shutdown sends AdminDown to all peers, but for those that wait for the next process, and closes all sockets.
func (m *Monitor) shutdown() {
	m.setMu.Lock()
	defer m.setMu.Unlock()
	m.mu.Lock()
	m.running = false
	if m.restarting {
		m.outlast()
	}
	m.mu.Unlock()
	m.await(agreeTimeout, m.allAgreed)
	m.mu.Lock()
	for _, s := range m.sessions {
		m.takeDown(s)
	}
	m.mu.Unlock()
	if !m.await(shutdownTimeout, m.allRemoved) {
		m.removeAll()
	}
	m.mu.Lock()
	m.rejected = nil
	m.closeUnusedListeners()
	m.unlockAndClose()
	m.readers.Wait()
	m.notifyChanges()
}

// await waits until something is so that may be after removed is ready, and reports whether it is.
func (m *Monitor) await(limit time.Duration, is func() bool) bool {
	for deadline := time.After(limit); !is(); {
		select {
		case <-m.removed:
		case <-deadline:
			return is()
		}
	}
	return true
}

// outlast asks the peers of all sessions that are up to wait for the next process.
func (m *Monitor) outlast() {
	for _, s := range m.sessions {
		if s.machine.Outlast(restartTime) {
			m.outlasting[s] = struct{}{}
			m.process(s, time.Now(), bfdsession.NoEvent)
		}
	}
}

func (m *Monitor) allAgreed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.outlasting) == 0
}

func (m *Monitor) allRemoved() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.adminDown) == 0
}

func (m *Monitor) removeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.adminDown {
		m.remove(s)
	}
}

// Changes is ready when the state of a session or of its peer, or a Problem, has changed since Changes was last read. It
// holds at most one wake and is never closed.
func (m *Monitor) Changes() <-chan struct{} { return m.changes }

func (m *Monitor) notifyChanges() { notify(m.changes) }

// notify makes a channel that holds one wake ready.
func notify(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default: // It is ready already.
	}
}

// unlockAndClose unlocks mu, and closes the listeners that could not be closed under it. setMu must be held.
func (m *Monitor) unlockAndClose() {
	closing := m.closing
	m.closing = nil
	m.mu.Unlock()
	for _, l := range closing {
		_ = l.conn.Close() // Nothing is lost with a socket that only receives.
	}
}
