package bgp

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// session keeps up the BGP session with one router. setDesired says what is wanted and returns at once; the session's own
// goroutine, run, does it.
type session struct {
	log      *slog.Logger
	recorder *statusRecorder
	dial     dialer

	// wake is ready when something below has changed. It holds one wake.
	wake chan struct{}

	mu       sync.Mutex
	settings settings
	desired  *announce.Session // nil: nothing is to run yet.
	closed   bool              // It is to end for good.
	// interrupt ends the attempt that runs, or the wait after it, which waiting tells apart; nil before the first attempt.
	interrupt context.CancelCauseFunc
	waiting   bool
	// hurry is ready when BFD has come up during the wait that runs. It holds one wake.
	hurry chan struct{}

	// establishedWith is the router that the session was last established with: it knows this process. Only run uses it.
	establishedWith endpoint
	// backoff is how the last attempts ended. Only run uses it.
	backoff backoff
	// withheld are the capabilities that the router has refused, and limits how many prefixes it accepts, as far as it has said
	// so. Only run uses them.
	withheld capabilities
	limits   prefixLimits
	// strict is how strict mode is kept with the router. Only run uses it.
	strict strictMode
}

// newSession makes a session that does nothing before run.
func newSession(log *slog.Logger, changed func(), dial dialer) *session {
	return &session{log: log, recorder: newStatusRecorder(log, changed), dial: dial, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
}

// setDesired says what is wanted of the session. A session with a problem is not started; one that runs keeps its settings, and can be
// shut down.
func (s *session) setDesired(desired *announce.Session) {
	next, problem := settingsOf(desired), desired.Problem
	if err := next.validate(); problem == "" && err != nil {
		problem = err.Error()
	}
	s.recorder.setDesired(desired, problem)
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.desired != nil && !s.desired.Down()
	if desired.Down() && s.interrupt != nil {
		s.interrupt(shutDown(desired.ShutdownMessage))
	}
	switch {
	case problem == "":
		if runs && s.interrupt != nil && (next.needsReset(s.settings) || s.waiting && !next.sameAttempt(s.settings)) {
			s.log.Info("BGP session is reset because its settings changed", "session", desired.Name)
			s.interrupt(reconfigured(s.settings.sameRouter(&next)))
		}
		s.settings, s.desired = next, desired
	case runs:
		s.desired = desired
	}
	notify(s.wake)
}

// close ends the session for good. It does not wait: run returns when the session has ended.
func (s *session) close(reason *closeReason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.interrupt != nil {
		s.interrupt(reason)
	}
	notify(s.wake)
}

// stopReason is why the session ends when this process stops: the node leaves, or it is a restart.
func (s *session) stopReason() *closeReason {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.desired != nil && s.desired.Leaving != "" {
		return left(s.desired.Leaving)
	}
	return shutdown()
}

// bfdDown ends the connection, if there is one, because BFD says that the router is down.
func (s *session) bfdDown(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.interrupt != nil && s.recorder.connected() {
		s.interrupt(bfdDown(reason))
	}
}

// bfdUp tells a wait that BFD says that the router is up.
func (s *session) bfdUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting {
		notify(s.hurry)
	}
}

// endpoint is the router that the session is with; the zero value while nothing is to run.
func (s *session) endpoint() endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.desired == nil {
		return endpoint{}
	}
	return s.settings.endpoint()
}

func (s *session) currentDesired() *announce.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.desired
}

// run connects, runs the connection until it ends, and connects again, until close.
func (s *session) run() {
	defer s.recorder.setState(stateIdle)
	for {
		ctx, settings, ok := s.waitForDesired()
		if !ok {
			return
		}
		began := time.Now()
		reason := s.runConnection(ctx, &settings)
		full := s.backoff.pause(reason.cause, settings.connectTime)
		next := time.Now().Add(jitter(full, s.backoff.least()))
		if reason.cause == unreachable {
			next = next.Add(-time.Since(began)) // The time that dialing took counts, too.
		}
		s.recorder.connectsAgain(next, full, reason.cause)
		if !s.waitBeforeRetry(&settings, next) {
			s.backoff, s.withheld = backoff{}, 0
		}
	}
}

// maxHold is how long the first attempt is held at most (announce.Session.Hold), from when the session was made.
const maxHold = 5 * time.Second

// waitForDesired waits until there is something to run that is neither Down nor held. It returns the settings and the context of one
// attempt, which ends with a *closeReason as its cause; false when the session is closed.
func (s *session) waitForDesired() (context.Context, settings, bool) {
	mayHold, holdOver := true, time.After(maxHold)
	held := false
	var settled <-chan time.Time
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, settings{}, false
		}
		hold := s.desired != nil && s.desired.Hold && s.interrupt == nil && mayHold
		if held && !hold && mayHold && settled == nil {
			settled = time.After(s.backoff.afterBFD(rand.Float64())) //nolint:gosec // This needs no secure randomness.
		}
		held = held || hold
		if s.desired != nil && !s.desired.Down() && !hold && settled == nil {
			defer s.mu.Unlock()
			ctx, interrupt := context.WithCancelCause(context.Background())
			s.interrupt = interrupt
			return ctx, s.settings, true
		}
		s.mu.Unlock()
		select {
		case <-s.wake:
		case <-holdOver:
			mayHold, settled = false, nil
		case <-settled:
			held, settled = false, nil
		}
	}
}

// runConnection makes one connection and runs it until it ends. It returns why it ended, or why it could not be made.
func (s *session) runConnection(ctx context.Context, settings *settings) *closeReason {
	s.recorder.setState(stateConnect)
	attempt := *settings
	attempt.patience = s.backoff.patience(rand.Float64()) //nolint:gosec // This needs no secure randomness.
	conn, err := s.dial(ctx, &attempt)
	if err != nil {
		reason := s.backoff.ended(&closeReason{text: dialErrorText(settings, err.Error()), cause: unreachable}, 0)
		s.withheld = 0 // It may be another router, or another version, that answers then.
		if ctx.Err() == nil {
			s.recorder.attemptFailed(reason.text)
		}
		return reason
	}
	var up time.Duration
	t := newTransport(conn)
	c := newConnection(settings, t, s.recorder)
	c.settings.withheld, c.limits, c.holdRoutes = s.withheld, s.limits, s.strict.holdRoutes
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(interrupted); t.interrupt() })
	if err = c.handshake(ctx, s.establishedWith != settings.endpoint(), s.wake, s.currentDesired); err == nil {
		established := time.Now()
		s.establishedWith = settings.endpoint()
		s.recorder.established(&c.negotiated)
		err = c.runEstablished(ctx, s.wake, s.currentDesired)
		up = time.Since(established)
	}
	if !stop() {
		<-interrupted // A later interrupt would shorten the deadline of the last message.
	}
	reason := s.backoff.ended(s.withhold(c, closeReasonOf(ctx, err)), up)
	s.limits.learn(reason.limits)
	s.strict.ended(settings.bfdStrict, reason, up)
	s.recorder.connectionClosed(reason)
	t.close(reason.notification(&c.negotiated), reason.graceful)
	return reason
}

// withhold remembers capabilities that the router has refused, and leaves them out of the next OPEN message, which is sent soon
// (RFC 5492 section 3). Where that is of no use, the reason stays as it is.
func (s *session) withhold(c *connection, reason *closeReason) *closeReason {
	without := c.settings.canDoWithout(reason.refuses)
	if without == 0 {
		return reason
	}
	s.withheld |= without
	again := *reason
	again.cause, again.text = lost, reason.text+"; it is tried without that"
	return &again
}

// waitBeforeRetry waits until the next attempt. It returns false, without waiting to the end, when the settings are no
// longer those of the last attempt, or the session is closed.
func (s *session) waitBeforeRetry(last *settings, next time.Time) bool {
	ctx, interrupt := context.WithCancelCause(context.Background())
	defer interrupt(nil)
	if !s.startWaiting(last, interrupt) {
		return false
	}
	defer s.stopWaiting()
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-s.hurry:
			soon := s.backoff.afterBFD(rand.Float64()) //nolint:gosec // This needs no secure randomness.
			if s.backoff.hurry(time.Now()) && soon < time.Until(next) {
				timer.Reset(soon)
			}
		case <-timer.C:
			return true
		}
	}
}

// startWaiting lets interrupt end the wait from now on; false when there is nothing to wait for.
func (s *session) startWaiting(last *settings, interrupt context.CancelCauseFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.desired.Down() || !s.settings.sameAttempt(*last) {
		return false
	}
	s.interrupt, s.waiting = interrupt, true
	select {
	case <-s.hurry: // It was for a wait that has ended by itself.
	default:
	}
	return true
}

func (s *session) stopWaiting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = false
}
