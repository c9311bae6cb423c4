package gossip

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/progress/progresstest"
)

// TestRunner_KnowsWhichLoopIsStuck holds what the loops need, and lets it go. A lock that View waits for must not keep the probe waiting.
func TestRunner_KnowsWhichLoopIsStuck(t *testing.T) {
	for _, test := range []struct {
		loop  string
		stick func(*Membership) (letGo func())
	}{
		{"sends heartbeats", func(m *Membership) func() {
			m.drain = func() {}
			m.peers.mu.Lock()
			go m.beat()
			return m.peers.mu.Unlock
		}},
		{"forgets claims", func(m *Membership) func() {
			m.claims.mu.Lock()
			go m.forgetClaims(time.Now())
			return m.claims.mu.Unlock
		}},
	} {
		t.Run(test.loop, func(t *testing.T) {
			timing, _ := Preset(Fast, true)
			r := NewRunner("n1", Bind{Timing: timing}, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), nil)
			if err := r.Alive(); err != nil {
				t.Errorf("before it runs: %v", err)
			}
			m := r.create(nil, prometheus.NewRegistry())
			r.mu.Lock()
			defer r.mu.Unlock()
			letGo := test.stick(m)
			progresstest.Notices(t, &m.steps, test.loop, letGo)
			if err := r.Alive(); err != nil {
				t.Error(err)
			}
		})
	}
}
