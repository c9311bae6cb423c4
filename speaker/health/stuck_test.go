package health

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/testnet"
)

func TestServer_KnowsThatItIsStuck(t *testing.T) {
	s := New(Config{Mode: On})
	s.portsMu.Lock()
	go s.tryDue(t.Context(), time.Now())
	_, err := testnet.Eventually(10*time.Second, func() error {
		if err := s.steps.Stuck(0); err == nil || !strings.Contains(err.Error(), "what opens the ports of health checks ") {
			return errors.Join(errors.New("it is not noticed"), err)
		}
		return nil
	})
	s.portsMu.Unlock()
	_, still := testnet.Eventually(10*time.Second, func() error { return s.steps.Stuck(0) })
	if err = errors.Join(err, still, s.Alive()); err != nil {
		t.Error(err)
	}
}
