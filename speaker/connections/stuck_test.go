package connections

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/testnet"
)

func TestRelay_KnowsThatItIsStuck(t *testing.T) {
	r := New(Config{})
	r.mu.Lock()
	go func() { _ = r.Start(t.Context()) }()
	notify(r.hurry)
	_, err := testnet.Eventually(10*time.Second, func() error {
		if err := r.steps.Stuck(0); err == nil || !strings.Contains(err.Error(), "what keeps open connections ") {
			return errors.Join(errors.New("it is not noticed"), err)
		}
		return nil
	})
	r.mu.Unlock()
	_, still := testnet.Eventually(10*time.Second, func() error { return r.steps.Stuck(0) })
	if err = errors.Join(err, still, r.Alive()); err != nil {
		t.Error(err)
	}
}
