package bgp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/speaker/announce"
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

	// mu orders Set, Start and the end.
	mu      sync.Mutex
	running bool
	desired []announce.Session // Given before Start.

	// listing guards the map, so that Status never waits for Set.
	listing  sync.Mutex
	sessions map[string]*session
}

// New makes a Speaker without sessions. It does no I/O; nothing runs before Start.
func New(cfg Config) *Speaker {
	s := &Speaker{
		log:     cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		changes: make(chan struct{}, 1), sessions: map[string]*session{},
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(collector{s})
	}
	return s
}

// Start runs the sessions until ctx ends, and then stops them as for a restart: where graceful restart is negotiated the
// routes stay with the router, elsewhere the session is closed with CEASE. It returns nil when ctx ends.
func (s *Speaker) Start(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	if err := s.apply(ctx, s.desired); err != nil {
		s.log.Error("BGP sessions are not all as desired", "error", err)
	}
	s.desired = nil
	s.mu.Unlock()

	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	var ends sync.WaitGroup
	for name, session := range s.list() {
		ends.Go(func() {
			if err := s.remove(name, session, true); err != nil {
				s.log.Warn("BGP session did not end well", "error", err)
			}
		})
	}
	ends.Wait()
	return nil
}

// Set makes the sessions, and what is announced on each, those desired: the whole of it, each session's name once. What
// is as desired already is not touched; a change of paths does not disturb the session. It goes on after a failure and
// returns all of them; the sessions concerned say so in their status too. It does not wait for sessions to come up.
// Before Start, desired is remembered. The caller must not change desired afterwards.
func (s *Speaker) Set(ctx context.Context, desired []announce.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		s.desired = desired
		return nil
	}
	return s.apply(ctx, desired)
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

// apply starts and changes sessions before it ends others, but for those whose router has a session of another name now:
// a router has one session with us, and would refuse the second.
func (s *Speaker) apply(ctx context.Context, desired []announce.Session) error {
	var errs []error
	wanted, routers := map[string]struct{}{}, map[netip.AddrPort]struct{}{}
	for i := range desired {
		wanted[desired[i].Name] = struct{}{}
		routers[routerOf(&desired[i])] = struct{}{}
	}
	obsolete := s.list()
	for name, session := range obsolete {
		if _, ok := wanted[name]; ok {
			delete(obsolete, name)
		} else if _, ok := routers[session.router()]; ok {
			errs = append(errs, s.remove(name, session, false))
			delete(obsolete, name)
		}
	}
	done := map[string]struct{}{}
	for i := range desired {
		name := desired[i].Name
		if _, twice := done[name]; twice {
			errs = append(errs, fmt.Errorf("session %s is given twice", name))
			continue
		}
		done[name] = struct{}{}
		errs = append(errs, s.session(name).apply(ctx, &desired[i]))
	}
	for name, session := range obsolete {
		errs = append(errs, s.remove(name, session, false))
	}
	return errors.Join(errs...)
}

// session finds the one of a name, or makes it.
func (s *Speaker) session(name string) *session {
	s.listing.Lock()
	defer s.listing.Unlock()
	if s.sessions[name] == nil {
		s.sessions[name] = newSession(s.log, s.wake)
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

func (s *Speaker) remove(name string, session *session, graceful bool) error {
	err := session.close(graceful)
	s.listing.Lock()
	delete(s.sessions, name)
	s.listing.Unlock()
	s.wake()
	s.log.Info("BGP session has ended", "session", name)
	if err != nil {
		return fmt.Errorf("end session %s: %w", name, err)
	}
	return nil
}

func (s *Speaker) wake() {
	select {
	case s.changes <- struct{}{}:
	default:
	}
}

func routerOf(desired *announce.Session) netip.AddrPort {
	return netip.AddrPortFrom(desired.Address, cmp.Or(desired.Port, 179))
}
