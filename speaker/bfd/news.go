package bfd

import (
	"context"
	"log/slog"
)

// mostNews is how much may wait for a log that is slow to take it; more is lost.
const mostNews = 1000

// news is what is to be told to others, who may be slow: it is told without the Monitor's lock.
type news struct {
	// falls are failures of sessions by name, with why, that OnDown is to be told.
	falls map[string]string
	lines []line
	wake  chan struct{}
}

// line of the log.
type line struct {
	level slog.Level
	text  string
	args  []any
}

// say logs, later.
func (m *Monitor) say(level slog.Level, text string, args ...any) {
	if len(m.news.lines) < mostNews {
		m.news.lines = append(m.news.lines, line{level, text, args})
	}
	m.newsWait()
}

// fell has OnDown called, very soon.
func (m *Monitor) fell(name, why string) {
	m.news.falls[name] = why
	m.newsWait()
}

func (m *Monitor) newsWait() {
	select {
	case m.news.wake <- struct{}{}:
	default:
	}
}

// tell tells the news until ended is closed and there is nothing more to tell.
func (m *Monitor) tell(ended <-chan struct{}) {
	for last := false; !last; {
		select {
		case <-m.news.wake:
		case <-ended:
			last = true
		}
		m.mu.Lock()
		falls, lines := m.news.falls, m.news.lines
		m.news.falls, m.news.lines = map[string]string{}, nil
		m.mu.Unlock()
		for name, why := range falls {
			if m.onDown != nil {
				m.onDown(name, why)
			}
		}
		for _, l := range lines {
			m.log.Log(context.Background(), l.level, l.text, l.args...)
		}
	}
}
