package bgp

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// session keeps one session as it is desired. Set says what that is, and returns at once; the session's own goroutine, run,
// does it.
type session struct {
	log  *slog.Logger
	view *view
	dial dialer

	// wake says that something below has changed. It holds one.
	wake chan struct{}

	mu       sync.Mutex
	settings settings
	desired  *announce.Session // nil: nothing is to run yet.
	over     bool              // It is to end for good.
	// interrupt ends the attempt that runs, or the pause after it; nil: there was none yet.
	interrupt context.CancelCauseFunc

	// met is the router that the session has been up with: it knows this process. Only run looks at it.
	met endpoint
}

// newSession makes a session that does nothing before run.
func newSession(log *slog.Logger, changed func(), dial dialer) *session {
	return &session{log: log, view: newView(log, changed), dial: dial, wake: make(chan struct{}, 1)}
}

// apply says what is desired. A session with a problem is not started, and one that runs keeps its settings.
func (s *session) apply(desired *announce.Session) {
	next, problem := settingsOf(desired), desired.Problem
	if err := next.wrong(); problem == "" && err != nil {
		problem = err.Error()
	}
	s.view.describe(desired, problem)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case problem == "":
		if s.interrupt != nil && next.restarts(s.settings) {
			s.log.Info("BGP session starts anew with other settings", "session", desired.Name)
			s.interrupt(reconfigured(s.settings.sameRouter(&next)))
		}
		s.settings, s.desired = next, desired
	case s.desired != nil:
		s.desired = desired
	}
	poke(s.wake)
}

// close ends the session for good. It does not wait: run returns when the end has come.
func (s *session) close(why *ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.interrupt != nil {
		s.interrupt(why)
	}
	poke(s.wake)
}

// down ends the connection, if there is one.
func (s *session) down(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.interrupt != nil && s.view.connected() {
		s.interrupt(declaredDown(reason))
	}
}

// endpoint that the session is with; the zero value when nothing runs.
func (s *session) endpoint() endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.desired == nil {
		return endpoint{}
	}
	return s.settings.endpoint()
}

func (s *session) now() *announce.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.desired
}

// run dials, keeps the session that comes of it, and dials again, until close.
func (s *session) run() {
	defer s.view.enter(idle)
	var refused, unreached backoff
	for {
		ctx, settings, ok := s.next()
		if !ok {
			return
		}
		began := time.Now()
		why, up := s.attempt(ctx, &settings)
		if !up.IsZero() {
			refused.after(time.Since(up))
		}
		var pause time.Duration
		if why.unreached {
			pause = unreached.pause(dialPause) - time.Since(began) // Waiting for an answer was a pause, too.
		} else {
			unreached = backoff{}
			pause = refused.pause(max(settings.connect, dialPause))
		}
		if !s.rest(&settings, pause) {
			refused, unreached = backoff{}, backoff{}
		}
	}
}

// next waits until there is something to run, and gives the context of one attempt. It ends with an *ending for its cause.
func (s *session) next() (context.Context, settings, bool) {
	for {
		s.mu.Lock()
		if s.over {
			s.mu.Unlock()
			return nil, settings{}, false
		}
		if s.desired != nil {
			defer s.mu.Unlock()
			ctx, interrupt := context.WithCancelCause(context.Background())
			s.interrupt = interrupt
			return ctx, s.settings, true
		}
		s.mu.Unlock()
		<-s.wake
	}
}

// attempt makes one connection and keeps it as long as it lasts. It says why it ended, and since when it had been up; the
// zero time when it had not.
func (s *session) attempt(ctx context.Context, settings *settings) (why *ending, up time.Time) {
	s.view.enter(connect)
	conn, err := s.dial(ctx, settings)
	if err != nil {
		why = &ending{words: dialWords(settings, err.Error()), unreached: true}
		if ctx.Err() == nil {
			s.view.fail(why.words)
		}
		return why, up
	}
	w := newWire(conn)
	p := newPeering(settings, w, s.view)
	hurried := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(hurried); w.hurry() })
	if err = p.greet(ctx, s.met != settings.endpoint()); err == nil {
		s.met, up = settings.endpoint(), time.Now()
		s.view.rise(&p.agreed)
		err = p.serve(ctx, s.wake, s.now)
	}
	if !stop() {
		<-hurried // Else it would cut the last words short.
	}
	why = endingOf(ctx, err)
	s.view.leave(why)
	w.end(why.notification(&p.agreed))
	return why, up
}

// rest waits before the next attempt. It does not when the settings are others than those of the last, or the end has come,
// and says so with false.
func (s *session) rest(last *settings, pause time.Duration) bool {
	s.mu.Lock()
	if s.over || s.settings.restarts(*last) {
		s.mu.Unlock()
		return false
	}
	ctx, interrupt := context.WithCancelCause(context.Background())
	defer interrupt(nil)
	s.interrupt = interrupt
	s.mu.Unlock()
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
