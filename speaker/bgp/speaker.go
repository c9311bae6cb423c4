package bgp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/speaker/trace"
)

// Config of a Speaker.
type Config struct {
	// Log receives what happens to sessions; with nil, nothing is logged.
	Log *slog.Logger
	// Registerer of the metrics; with nil, they are not registered.
	Registerer prometheus.Registerer
	// Tracer is told which UPDATE messages are sent; with nil, nobody is.
	Tracer *trace.Tracer
}

// Speaker holds the BGP sessions of a node.
type Speaker struct {
	log     *slog.Logger
	changes chan struct{}
	dial    dialer
	tracer  *trace.Tracer

	// mu serializes Set, Start and the shutdown.
	mu      sync.Mutex
	running bool
	desired []announce.Session // Set before Start.

	// sessionsMu guards sessions alone, so that Status never waits for Set.
	sessionsMu sync.Mutex
	sessions   map[string]*session
	// sessionRuns are the goroutines of all sessions, also of those that are being closed.
	sessionRuns sync.WaitGroup
}

// New makes a Speaker without sessions. It does no I/O; nothing runs before Start.
func New(cfg Config) *Speaker {
	s := &Speaker{
		log:     cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		changes: make(chan struct{}, 1), dial: dialRouter, tracer: cfg.Tracer, sessions: map[string]*session{},
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(collector{s})
	}
	return s
}

// Start runs the sessions until ctx ends, and then closes them as for a restart: where graceful restart was negotiated, the
// router keeps our routes; elsewhere it is sent a CEASE. A session that was last desired as Leaving is closed so that the
// router deletes our routes. Start waits until all routers have noticed, at most two seconds, and returns nil.
func (s *Speaker) Start(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	if err := s.apply(s.desired); err != nil {
		s.log.Error("BGP sessions are not all as desired", "error", err)
	}
	s.desired = nil
	s.mu.Unlock()

	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	for _, session := range s.list() {
		session.close(session.stopReason())
	}
	s.sessionRuns.Wait()
	return nil
}

// Set makes the sessions, and what is announced on each, those of desired. desired is the whole state; each name occurs
// once. A session that already is as desired is not touched; a change of its paths or of its name does not interrupt it. Set
// waits neither for sessions to come up nor for routers to read: Status reports what fails. The error names sessions that
// occur twice. Before Start, Set only remembers desired. The caller must not change desired afterwards. Set is fastest when
// paths are sorted by prefix, and sessions with the same paths share one list.
func (s *Speaker) Set(_ context.Context, desired []announce.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		s.desired = desired
		return nil
	}
	return s.apply(desired)
}

// BFDDown closes the connection of a session at once, because BFD says that the router cannot be reached. name is that of
// announce.Session. The router is sent CEASE with the subcode BFD Down (RFC 9384); if it receives that, it deletes our
// routes. Status shows reason. The session then connects again like any that was lost. When the session has no connection or
// does not exist, BFDDown does nothing.
func (s *Speaker) BFDDown(name, reason string) {
	s.sessionsMu.Lock()
	session := s.sessions[name]
	s.sessionsMu.Unlock()
	if session != nil {
		session.bfdDown(reason)
	}
}

// BFDUp has a session that waits connect at once, because BFD says that the router can be reached again; no more often than
// hurryInterval allows. name is that of announce.Session. When the session does not wait or does not exist, BFDUp does nothing.
func (s *Speaker) BFDUp(name string) {
	s.sessionsMu.Lock()
	session := s.sessions[name]
	s.sessionsMu.Unlock()
	if session != nil {
		session.bfdUp()
	}
}

// Status of every session, sorted by name.
func (s *Speaker) Status() []Status {
	sessions := s.list()
	list := make([]Status, 0, len(sessions))
	for _, session := range sessions {
		list = append(list, session.recorder.status())
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Changes is ready when the status of a session has changed since Changes was last read. It holds at most one wake and is
// never closed.
func (s *Speaker) Changes() <-chan struct{} { return s.changes }

// apply gives every session what is desired of it, and closes those that are not desired.
func (s *Speaker) apply(desired []announce.Session) error {
	var errs []error
	wanted := make(map[string]*announce.Session, len(desired))
	for i := range desired {
		if _, twice := wanted[desired[i].Name]; twice {
			errs = append(errs, fmt.Errorf("session %s is given twice", desired[i].Name))
			continue
		}
		wanted[desired[i].Name] = &desired[i]
	}
	for _, session := range s.matchSessions(wanted) {
		s.closeSession(session)
	}
	for name, d := range wanted {
		s.session(name).setDesired(d)
	}
	return errors.Join(errs...)
}

// matchSessions assigns the existing sessions to the names that are wanted, and returns those that are left over. A session
// first goes to the name that wants its router, so that a router that moves from one name to another does not notice. Only
// then does a name keep the session that it had.
func (s *Speaker) matchSessions(wanted map[string]*announce.Session) (obsolete []*session) {
	s.sessionsMu.Lock()
	defer s.sessionsMu.Unlock()
	byRouter := make(map[endpoint]*session, len(s.sessions))
	for _, session := range s.sessions {
		byRouter[session.endpoint()] = session
	}
	delete(byRouter, endpoint{})
	kept, used := make(map[string]*session, len(wanted)), map[*session]bool{}
	for name, d := range wanted {
		settings := settingsOf(d)
		if session := byRouter[settings.endpoint()]; d.Problem == "" && session != nil && !used[session] {
			kept[name], used[session] = session, true
		}
	}
	for name := range wanted {
		if session := s.sessions[name]; kept[name] == nil && session != nil && !used[session] {
			kept[name], used[session] = session, true
		}
	}
	for _, session := range s.sessions {
		if !used[session] {
			obsolete = append(obsolete, session)
		}
	}
	s.sessions = kept
	return obsolete
}

// session returns the session of a name. If there is none, it makes one and starts it.
func (s *Speaker) session(name string) *session {
	s.sessionsMu.Lock()
	defer s.sessionsMu.Unlock()
	if s.sessions[name] == nil {
		session := newSession(s.log, s.notifyChanges, s.dial)
		session.recorder.tracer = s.tracer
		s.sessions[name] = session
		s.sessionRuns.Go(session.run)
	}
	return s.sessions[name]
}

func (s *Speaker) list() map[string]*session {
	s.sessionsMu.Lock()
	defer s.sessionsMu.Unlock()
	list := make(map[string]*session, len(s.sessions))
	for name, session := range s.sessions {
		list[name] = session
	}
	return list
}

// closeSession closes a session that is no longer desired. It does not wait for its end.
func (s *Speaker) closeSession(session *session) {
	session.close(deconfigured())
	s.notifyChanges()
	s.log.Info("BGP session is removed", "session", session.recorder.status().Name)
}

func (s *Speaker) notifyChanges() { notify(s.changes) }

// notify makes a channel that holds one wake ready.
func notify(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default: // It is ready already.
	}
}
