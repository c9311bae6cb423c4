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
)

// Config of a Speaker.
type Config struct {
	// Log receives what happens to sessions; nil: nothing is logged.
	Log *slog.Logger
	// Registerer of the metrics; nil: they are not registered.
	Registerer prometheus.Registerer
}

// Speaker holds the BGP sessions of a node.
type Speaker struct {
	log     *slog.Logger
	changes chan struct{}
	dial    dialer

	// mu orders Set, Start and the end.
	mu      sync.Mutex
	running bool
	desired []announce.Session // Given before Start.

	// listing guards the map, so that Status never waits for Set.
	listing  sync.Mutex
	sessions map[string]*session
	// runs are the goroutines of sessions, those that are ending too.
	runs sync.WaitGroup
}

// New makes a Speaker without sessions. It does no I/O; nothing runs before Start.
func New(cfg Config) *Speaker {
	s := &Speaker{
		log:     cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		changes: make(chan struct{}, 1), dial: dialRouter, sessions: map[string]*session{},
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(collector{s})
	}
	return s
}

// Start runs the sessions until ctx ends, and then stops them as for a restart: where graceful restart is negotiated the
// routes stay with the router, elsewhere the session is closed with CEASE. It waits for all of them, two seconds at most,
// and returns nil when ctx ends.
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
		session.close(stopped())
	}
	s.runs.Wait()
	return nil
}

// Set makes the sessions, and what is announced on each, those desired: the whole of it, each session's name once. What
// is as desired already is not touched; a change of paths does not disturb the session, nor does a change of its name. It
// waits neither for sessions to come up nor for routers to read: what cannot be had is said in the status. The error names
// sessions that are given twice. Before Start, desired is remembered. The caller must not change desired afterwards; paths
// are best given in order of prefix, and one list to sessions that have the same.
func (s *Speaker) Set(_ context.Context, desired []announce.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		s.desired = desired
		return nil
	}
	return s.apply(desired)
}

// Down closes the connection of a session, named as in announce.Session, at once: whoever calls knows, by BFD for example,
// that the router is not to be reached. The router, should it hear it, is told CEASE, BFD down (RFC 9384), and drops our
// routes; the reason stands in the status. The session then dials again like any that was lost. A session that has no
// connection, or is not there, is left alone.
func (s *Speaker) Down(name, reason string) {
	s.listing.Lock()
	session := s.sessions[name]
	s.listing.Unlock()
	if session != nil {
		session.down(reason)
	}
}

// Status of every session desired or still running, in order of name.
func (s *Speaker) Status() []Status {
	sessions := s.list()
	list := make([]Status, 0, len(sessions))
	for _, session := range sessions {
		list = append(list, session.view.status())
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Changes is ready when the status of some session has changed since it was last read. It carries nothing, holds one
// wake, and is never closed.
func (s *Speaker) Changes() <-chan struct{} { return s.changes }

// apply hands every session what is desired of it, and ends those that are not desired.
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
	for _, session := range s.match(wanted) {
		s.end(session)
	}
	for name, d := range wanted {
		s.session(name).apply(d)
	}
	return errors.Join(errs...)
}

// match gives the sessions the names that are wanted, and returns those that have no place any more. A session goes to
// whoever wants its router now, under whatever name it was until now, so that a router that moves from one name to another
// does not notice; only then does a name keep the session that it had.
func (s *Speaker) match(wanted map[string]*announce.Session) (obsolete []*session) {
	s.listing.Lock()
	defer s.listing.Unlock()
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

// session finds the one of a name, or makes it and lets it run.
func (s *Speaker) session(name string) *session {
	s.listing.Lock()
	defer s.listing.Unlock()
	if s.sessions[name] == nil {
		session := newSession(s.log, s.wake, s.dial)
		s.sessions[name] = session
		s.runs.Go(session.run)
	}
	return s.sessions[name]
}

func (s *Speaker) list() map[string]*session {
	s.listing.Lock()
	defer s.listing.Unlock()
	list := make(map[string]*session, len(s.sessions))
	for name, session := range s.sessions {
		list[name] = session
	}
	return list
}

// end lets a session that has no name any more end by itself.
func (s *Speaker) end(session *session) {
	session.close(deconfigured())
	s.wake()
	s.log.Info("BGP session ends", "session", session.view.status().Name)
}

func (s *Speaker) wake() { poke(s.changes) }
