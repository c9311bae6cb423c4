package link

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/testnet"
)

func TestWatcher_KnowsThatItIsStuck(t *testing.T) {
	w := New(nil)
	w.mu.Lock()
	go func() { _ = w.read() }()
	_, err := testnet.Eventually(10*time.Second, func() error {
		if err := w.steps.Stuck(0); err == nil || !strings.Contains(err.Error(), "what reads links and routes ") {
			return errors.Join(errors.New("it is not noticed"), err)
		}
		return nil
	})
	w.mu.Unlock()
	_, still := testnet.Eventually(10*time.Second, func() error { return w.steps.Stuck(0) })
	if err = errors.Join(err, still, w.Alive()); err != nil {
		t.Error(err)
	}
}
