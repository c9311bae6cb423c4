package link

import (
	"testing"

	"github.com/daymark-lb/daymark/internal/progress/progresstest"
)

func TestWatcher_KnowsThatItIsStuck(t *testing.T) {
	w := New(nil)
	w.mu.Lock()
	go func() { _ = w.read() }()
	progresstest.Notices(t, &w.steps, "reads links and routes", w.mu.Unlock)
	if err := w.Alive(); err != nil {
		t.Error(err)
	}
}
