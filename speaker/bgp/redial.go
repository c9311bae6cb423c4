package bgp

import (
	"context"
	"time"
)

// tend gives the session a new peer whenever it has gone idle, because GoBGP by itself rests too long. A session that was
// up is dialed again at once, which for GoBGP is within two seconds; one that failed to come up, after the connect time.
func (s *session) tend(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.view.idle:
			s.redial(ctx)
		}
	}
}

func (s *session) redial(ctx context.Context) {
	link, settings := s.hangUp(ctx)
	if link == nil {
		return
	}
	lost, refused := s.view.takeEnd()
	began := time.Now()
	if refused {
		if words := inquire(ctx, &settings); words != "" {
			s.view.fail(words)
		}
	}
	if !lost {
		select {
		case <-ctx.Done():
		case <-time.After(settings.connect - time.Since(began)):
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil || s.link != link {
		return // Closed, or started anew, meanwhile.
	}
	if err := link.dial(ctx); err != nil {
		s.view.fail(err.Error())
		s.view.wakeIdle()
	}
}

// hangUp removes the peer that has gone idle. Without a link there is nothing to do.
func (s *session) hangUp(ctx context.Context) (*link, settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == nil {
		return nil, settings{}
	}
	s.view.rest() // Before GoBGP says so, lest that be taken for another end.
	if err := s.link.hangUp(ctx); err != nil {
		s.log.Warn("BGP session cannot be taken down", "error", err)
	}
	return s.link, s.settings
}
