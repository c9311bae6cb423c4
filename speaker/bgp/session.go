package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/daymark-lb/daymark/speaker/announce"
)

// session keeps one session as it is desired, and remembers what it truly did to get there.
type session struct {
	log  *slog.Logger
	view *view

	// mu orders what Set, the session's own goroutine and the end do.
	mu       sync.Mutex
	settings settings
	link     *link // nil: not started.
	sent     map[netip.Prefix]announced

	end    context.CancelFunc
	tended chan struct{}
}

// newSession makes a session that is not started, and its goroutine, which runs until close.
func newSession(log *slog.Logger, changed func()) *session {
	ctx, end := context.WithCancel(context.Background())
	s := &session{log: log, view: newView(log, changed), end: end, tended: make(chan struct{})}
	go func() {
		defer close(s.tended)
		s.tend(ctx)
	}()
	return s
}

// apply makes the session what is desired of it, as far as that is possible now.
func (s *session) apply(ctx context.Context, desired *announce.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, problem := settingsOf(desired), desired.Problem
	if err := next.wrong(); problem == "" && err != nil {
		problem = err.Error()
	}
	s.view.describe(desired, problem)
	var err error
	switch {
	case problem == "" && (s.link == nil || next != s.settings):
		if err = s.reopen(ctx, next, desired); err != nil {
			s.view.describe(desired, err.Error())
		}
	case s.link != nil:
		err = s.setPaths(desired)
	}
	if err != nil {
		return fmt.Errorf("session %s: %w", desired.Name, err)
	}
	return nil
}

// reopen starts the session anew with other settings. A router that it has in common with the session before keeps
// the routes meanwhile, where graceful restart allows that.
func (s *session) reopen(ctx context.Context, next settings, desired *announce.Session) error {
	if s.link != nil {
		s.log.Info("BGP session starts anew with other settings", "session", desired.Name)
		if err := s.closeLink(s.settings.sameRouter(&next)); err != nil {
			s.log.Warn("BGP session did not end well", "session", desired.Name, "error", err)
		}
	}
	link, err := openLink(ctx, &next, s.view, s.log.With("session", desired.Name))
	if err != nil {
		return err
	}
	s.link, s.settings, s.sent = link, next, map[netip.Prefix]announced{}
	errs := s.setPaths(desired)
	if err := link.dial(ctx); err != nil {
		return errors.Join(errs, err, s.closeLink(false)) // The next Set begins again.
	}
	return errs
}

// setPaths announces what is new or changed, and then withdraws what is not desired any more.
func (s *session) setPaths(desired *announce.Session) error {
	todo, errs := s.diff(desired)
	if err := s.link.announce(pathsOf(todo.add)); err != nil {
		errs = append(errs, err)
	} else {
		for _, change := range todo.add {
			s.sent[change.prefix] = change.with
		}
	}
	if err := s.link.withdraw(pathsOf(todo.remove)); err != nil {
		errs = append(errs, err)
	} else {
		for _, change := range todo.remove {
			delete(s.sent, change.prefix)
		}
	}
	s.view.announced(s.sent, len(todo.add), len(todo.remove), todo.homeless)
	return errors.Join(errs...)
}

// router that the session runs with; the zero value when it does not run.
func (s *session) router() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(s.settings.address, s.settings.port)
}

// close ends the session for good, or gracefully where that is configured: the router then keeps our routes.
func (s *session) close(graceful bool) error {
	s.end()
	<-s.tended
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == nil {
		return nil
	}
	return s.closeLink(graceful && s.settings.restart > 0)
}

func (s *session) closeLink(graceful bool) error {
	link := s.link
	s.link, s.sent = nil, nil
	link.gone.Store(true)
	err := link.close(graceful)
	s.view.rest()
	return err
}
