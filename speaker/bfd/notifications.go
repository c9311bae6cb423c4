package bfd

import (
	"context"
	"log/slog"
)

// maxLogLines is how many lines may wait for a slow log. More are lost.
const maxLogLines = 1000

// notifications are calls of OnDown and OnUp, and lines of the log that are still to be made. They may block, so they are made by a
// goroutine of their own, without the Monitor's lock.
type notifications struct {
	// failures are those that OnDown is to be told of: the reasons by name of the session.
	failures map[string]string
	// cameUp are the names of the sessions that OnUp is to be told of.
	cameUp   map[string]bool
	logLines []logLine
	wake     chan struct{}
}

// logLine is a line of the log.
type logLine struct {
	level slog.Level
	text  string
	args  []any
}

// queueLog has a line logged.
func (m *Monitor) queueLog(level slog.Level, text string, args ...any) {
	if len(m.notifications.logLines) < maxLogLines {
		m.notifications.logLines = append(m.notifications.logLines, logLine{level, text, args})
	}
	notify(m.notifications.wake)
}

// queueOnDown has OnDown called.
func (m *Monitor) queueOnDown(name, reason string) {
	m.notifications.failures[name] = reason
	notify(m.notifications.wake)
}

// queueOnUp has OnUp called.
func (m *Monitor) queueOnUp(name string) {
	m.notifications.cameUp[name] = true
	notify(m.notifications.wake)
}

// notifyLoop makes the notifications. It returns when ended is closed and all are made.
func (m *Monitor) notifyLoop(ended <-chan struct{}) {
	for last := false; !last; {
		select {
		case <-m.notifications.wake:
		case <-ended:
			last = true
		}
		end := m.steps.Begin("tells of changes")
		m.mu.Lock()
		failures, cameUp, lines := m.notifications.failures, m.notifications.cameUp, m.notifications.logLines
		m.notifications.failures, m.notifications.cameUp, m.notifications.logLines = map[string]string{}, map[string]bool{}, nil
		m.mu.Unlock()
		for name, reason := range failures {
			if m.onDown != nil {
				m.onDown(name, reason)
			}
		}
		for name := range cameUp {
			if m.onUp != nil {
				m.onUp(name)
			}
		}
		for _, l := range lines {
			m.log.Log(context.Background(), l.level, l.text, l.args...) //nolint:sloglint // Each caller of queueLog gives a constant.
		}
		end()
	}
}
