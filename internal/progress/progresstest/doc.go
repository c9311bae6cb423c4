// Package progresstest tests that a part notices when one of its loops is stuck. It blocks nothing itself.
package progresstest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/progress"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// timeout is for how long a test waits for a loop.
const timeout = 10 * time.Second

// Notices fails the test unless steps say that a loop, which has been blocked, is at a step, and no longer when it is let go.
func Notices(t *testing.T, steps *progress.Steps, loop string, letGo func()) {
	t.Helper()
	_, err := testnet.Eventually(timeout, func() error {
		if err := steps.Stuck(0); err == nil || !strings.Contains(err.Error(), "what "+loop+" ") {
			return errors.Join(errors.New("it is not noticed"), err)
		}
		return nil
	})
	letGo()
	_, still := testnet.Eventually(timeout, func() error { return steps.Stuck(0) })
	if err := errors.Join(err, still); err != nil {
		t.Error(err)
	}
}
