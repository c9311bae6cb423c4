package bfd

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// process is called after anything has happened to a session: it sends the packets that are due, records the event, and
// schedules what is to be done next.
func (m *Monitor) process(s *session, now time.Time, event bfdsession.Event) {
	for p, ok := s.machine.Due(now); ok; p, ok = s.machine.Due(now) {
		m.send(s, &p)
	}
	if s.machine.Finished() {
		m.remove(s)
		return
	}
	m.recordEvent(s, now, event)
	m.schedule(s)
}

// send sends a packet. When that fails, the packet is lost and the status shows the error.
func (m *Monitor) send(s *session, p *bfdsession.Packet) {
	err := errSocketClosed
	if s.sender != nil {
		err = s.sender.send(p)
	}
	sendError := ""
	if err == nil {
		m.metrics.sent.Inc()
	} else {
		m.metrics.sendFailures.Inc()
		sendError = fmt.Sprintf("cannot send: %v", err)
	}
	if sendError != s.sendError {
		s.sendError = sendError
		m.notifyChanges()
	}
}

// recordEvent records what has happened to a session, and wakes those who want to know.
func (m *Monitor) recordEvent(s *session, now time.Time, event bfdsession.Event) {
	before := s.snapshot
	s.snapshot = s.machine.Snapshot()
	if event == bfdsession.Failed || event == bfdsession.PeerAdminDown {
		m.recordDown(s, now, event, before.DetectionTime)
	}
	if s.snapshot.State != before.State {
		s.since = now
		m.traceState(s, before)
	}
	if s.snapshot.State != before.State || s.snapshot.PeerState != before.PeerState || s.snapshot.Settled != before.Settled {
		m.notifyChanges()
	}
	if event == bfdsession.CameUp {
		m.queueOnUp(s.name)
		m.queueLog(slog.LevelInfo, "BFD session is up", "session", s.name, "peer", s.path.peer)
	}
}

// recordDown records that a session that was up is down. detectionTime is the one that it had.
func (m *Monitor) recordDown(s *session, now time.Time, event bfdsession.Event, detectionTime time.Duration) {
	s.lastDown, s.lastDownAt = downText(event, s.snapshot, detectionTime), now
	if s.failed = event == bfdsession.Failed; s.failed {
		s.downs++
		m.queueOnDown(s.name, s.lastDown)
	}
	m.queueLog(slog.LevelInfo, "BFD session is down", "session", s.name, "peer", s.path.peer, "reason", s.lastDown)
}
