package bfd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// Set makes the sessions those of desired. desired is the whole state; each name and each path occurs once. A session of
// which only the profile has changed stays up and negotiates the new one with the peer. The peer of a session that is no
// longer desired is sent AdminDown. After a failure, Set goes on, and it returns all failures; Status shows them, too, and
// such sessions are tried again every few seconds. Set does not wait for sessions to come up. Before Start, it only
// remembers desired. The caller must not change desired afterwards.
func (m *Monitor) Set(ctx context.Context, desired []announce.BFDSession) error {
	m.setMu.Lock()
	defer m.setMu.Unlock()
	m.mu.Lock()
	defer m.unlockAndClose()
	if !m.running {
		m.desired = desired
		return nil
	}
	return m.apply(ctx, desired)
}

// apply is Set with both locks held.
func (m *Monitor) apply(ctx context.Context, desired []announce.BFDSession) error {
	order, wanted, rejected := validate(desired)
	m.setRejected(rejected)
	var errs []error
	for _, r := range rejected {
		errs = append(errs, fmt.Errorf("session %s: %w", r.name, r.err))
	}
	for p, s := range m.sessions {
		if wanted[p] == nil {
			m.takeDown(s)
		}
	}
	links := linkIndexes{}
	for _, p := range order {
		s := m.sessions[p]
		if s == nil {
			m.removePredecessors(p)
			s = newSession(p, m.newDiscriminator(), wanted[p], time.Now())
			if m.resumes {
				s.listen()
			}
			m.sessions[p], m.byDiscriminator[s.snapshot.LocalDiscr] = s, s
			m.notifyChanges()
		} else {
			m.update(s, wanted[p])
		}
		errs = append(errs, m.openSockets(ctx, s, links))
	}
	m.closeUnusedListeners()
	return errors.Join(errs...)
}

// setRejected remembers the desired sessions that are invalid.
func (m *Monitor) setRejected(rejected []rejection) {
	if len(rejected) != len(m.rejected) {
		m.notifyChanges()
	}
	m.rejected = rejected
}

// update gives a session another name or other parameters.
func (m *Monitor) update(s *session, desired *announce.BFDSession) {
	s.name, s.minimumTTL = desired.Name, minimumTTLOf(desired)
	if parameters := parametersOf(desired); parameters != s.parameters {
		s.parameters = parameters
		s.machine.SetParameters(parameters)
		m.process(s, time.Now(), bfdsession.NoEvent)
	}
}

// retryAll opens the sockets that could not be opened before, and those whose interfaces were replaced.
func (m *Monitor) retryAll(ctx context.Context) {
	defer m.steps.Begin("opens sockets")()
	m.setMu.Lock()
	defer m.setMu.Unlock()
	m.mu.Lock()
	defer m.unlockAndClose()
	links := linkIndexes{}
	m.closeStale(links)
	for _, s := range m.sessions {
		_ = m.openSockets(ctx, s, links) // Status shows the error, and it is logged when it is new.
	}
	m.closeUnusedListeners()
}

// newDiscriminator draws a discriminator that no session has. It is random so that a host that does not see our packets
// cannot guess it and send packets in the name of a peer.
func (m *Monitor) newDiscriminator() uint32 {
	for {
		drawn := rand.Uint32() //nolint:gosec // The generator is ChaCha8, seeded by the kernel.
		if _, taken := m.byDiscriminator[drawn]; !taken && drawn != 0 {
			return drawn
		}
	}
}

// takeDown begins to remove a session: its peer is sent AdminDown.
func (m *Monitor) takeDown(s *session) {
	m.unregister(s)
	delete(m.outlasting, s)
	m.adminDown[s] = struct{}{}
	s.machine.AdminDown()
	m.process(s, time.Now(), bfdsession.NoEvent)
	m.queueLog(slog.LevelInfo, "BFD session is removed", "session", s.name, "peer", s.path.peer)
}

// removePredecessors removes the sessions that still send AdminDown and have the same peer as a new session. The peer has
// one session for both: it would take AdminDown for a packet of the new one.
func (m *Monitor) removePredecessors(successor path) {
	for s := range m.adminDown {
		old := s.path
		if !old.local.IsValid() || !successor.local.IsValid() {
			old.local = successor.local
		}
		if old == successor {
			m.remove(s)
		}
	}
}

// unregister has packets be for a session no more.
func (m *Monitor) unregister(s *session) {
	delete(m.sessions, s.path)
	delete(m.byAddress, s.demuxKey())
	delete(m.byDiscriminator, s.snapshot.LocalDiscr)
}

// remove ends a session whose peer has been sent AdminDown, or waits for the next process.
func (m *Monitor) remove(s *session) {
	if _, waits := m.outlasting[s]; waits {
		m.unregister(s)
		delete(m.outlasting, s)
		m.queueLog(slog.LevelInfo, "BFD session is left to the next process", "session", s.name, "peer", s.path.peer)
	}
	delete(m.adminDown, s)
	m.queue.remove(s)
	if s.sender != nil {
		s.sender.close()
		s.sender = nil
	}
	if len(m.adminDown) == 0 || len(m.outlasting) == 0 {
		notify(m.removed)
	}
	m.notifyChanges()
}
