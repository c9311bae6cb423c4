package health

import (
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/progress/progresstest"
)

func TestServer_KnowsThatItIsStuck(t *testing.T) {
	s := New(Config{Mode: On})
	s.portsMu.Lock()
	go s.tryDue(t.Context(), time.Now())
	progresstest.Notices(t, &s.steps, "opens the ports of health checks", s.portsMu.Unlock)
	if err := s.Alive(); err != nil {
		t.Error(err)
	}
}
