package bfd

import (
	"testing"

	"github.com/daymark-lb/daymark/internal/progress/progresstest"
)

// TestMonitor_KnowsWhichLoopIsStuck blocks each where it may be, and lets it go on.
func TestMonitor_KnowsWhichLoopIsStuck(t *testing.T) {
	for _, test := range []struct {
		loop  string
		stick func(*testing.T, *Monitor) (letGo func())
	}{
		{"sends what is due", func(_ *testing.T, m *Monitor) func() {
			m.mu.Lock()
			go m.alarmFired()
			return m.mu.Unlock
		}},
		{"opens sockets", func(t *testing.T, m *Monitor) func() {
			m.setMu.Lock()
			go m.retryAll(t.Context())
			return m.setMu.Unlock
		}},
		{"tells of changes", func(t *testing.T, m *Monitor) func() {
			blocked, ended := make(chan struct{}), make(chan struct{})
			t.Cleanup(func() { close(ended) })
			m.onDown = func(string, string) { <-blocked }
			m.notifications.failures = map[string]string{"router": "it is down"}
			notify(m.notifications.wake)
			go m.notifyLoop(ended)
			return func() { close(blocked) }
		}},
	} {
		t.Run(test.loop, func(t *testing.T) {
			m := New(Config{})
			letGo := test.stick(t, m)
			progresstest.Notices(t, &m.steps, test.loop, letGo)
			if err := m.Alive(); err != nil {
				t.Error(err)
			}
		})
	}
}
